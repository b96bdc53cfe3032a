// A server in a session's sandbox, seen from outside: on the whole platform, by plain HTTP and by a WebSocket.
import { type IncomingHttpHeaders, request } from 'node:http';
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PreviewUrl } from '../../packages/schema/src/preview-urls.ts';
import { TestPlatform } from '../support/test-platform.ts';

let platform: TestPlatform;
let client: Anthropic;
let sessionId: string;

/** Says what it was asked; sends on, keeps a cookie, and greets and echoes on WebSockets. */
const SERVER = `
import base64, hashlib, http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("upgrade"): return self.talk()
        if self.path == "/moved":
            self.send_response(302); self.send_header("location", "http://" + self.headers["host"] + "/there")
            self.send_header("content-length", "0"); self.end_headers(); return
        body = ("%s %s" % (self.path, self.headers.get("cookie", "-"))).encode()
        self.send_response(200); self.send_header("content-length", str(len(body)))
        self.send_header("set-cookie", "own=1; Domain=preview.localhost"); self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def talk(self):
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.wfile.write(("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Accept: %s\\r\\n\\r\\n" % accept).encode())
        say = lambda text: self.wfile.write(bytes([0x81, len(text)]) + text)
        say(b"hello " + self.path.encode())
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] % 16 != 1: break
            mask = self.rfile.read(4); data = self.rfile.read(head[1] % 128)
            say(b"echo " + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))
        self.close_connection = True
    def log_message(self, *args): pass
socketserver.ThreadingTCPServer.daemon_threads = True
socketserver.ThreadingTCPServer(("127.0.0.1", 3000), Handler).serve_forever()
`;

beforeAll(async () => {
  platform = await TestPlatform.open();
  client = platform.connect();
  const agent = await client.beta.agents.create({
    name: 'Server',
    model: 'claude-sonnet-4-6',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await client.beta.environments.create({ name: 'Anywhere' });
  const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  sessionId = session.id;
}, 240_000);

afterAll(() => platform.close());

describe('a preview', () => {
  it('is not there before the sandbox is', async () => {
    const { origin, token } = await preview(3000);
    expect(await ask(`${origin}/`, { 'x-capstan-preview-token': token })).toMatchObject({ status: 503 });
  });

  it('shows what the agent serves, under a link that becomes a cookie', async () => {
    const write = `cat >/workspace/server.py <<'END'${SERVER}END`;
    const start =
      'nohup python3 /workspace/server.py >/dev/null 2>&1 & until (exec 3<>/dev/tcp/127.0.0.1/3000) 2>/dev/null; do :; done';
    await run(write);
    await run(start);
    const { url, origin } = await preview(3000);
    const opened = await ask(url);
    expect(opened).toMatchObject({ status: 303, headers: { location: `${origin}/` } });
    const cookie = opened.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    expect(await ask(`${origin}/page?q=1`, { cookie })).toMatchObject({
      status: 200,
      text: '/page?q=1 -',
      headers: { 'set-cookie': ['own=1'] },
    });
    const linked = {
      cookie: `${cookie}; own=1`,
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
    };
    expect(await ask(`${origin}/`, linked)).toMatchObject({ status: 200, text: '/ own=1' });
    expect(await ask(`${origin}/moved`, { cookie })).toMatchObject({
      status: 302,
      headers: { location: `${origin}/there` },
    });
  });

  it('takes what programs send', async () => {
    const { origin, token } = await preview(3000);
    const body = 'x'.repeat(300_000);
    const headers = { 'x-capstan-preview-token': token };
    expect(await ask(`${origin}/`, headers, body)).toMatchObject({ status: 200, text: body });
  });

  it('carries a WebSocket', async () => {
    const { url } = await preview(3000);
    expect(await talk(url)).toEqual(['hello /', 'echo hi']);
    await expect(talk(url, { origin: 'https://evil.test' })).rejects.toThrow('403');
  });

  it('says that nobody listens', async () => {
    const { origin, token } = await preview(3999);
    expect(await ask(`${origin}/`, { 'x-capstan-preview-token': token })).toMatchObject({ status: 502 });
  });
});

/** A command in the sandbox, to its end. */
async function run(command: string): Promise<void> {
  const text = `[[tool bash ${JSON.stringify({ command })}]]`;
  const stream = await client.beta.sessions.events.stream(sessionId);
  await client.beta.sessions.events.send(sessionId, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
  for await (const event of stream) {
    if (event.type === 'agent.tool_result') expect(event.is_error ?? false).toBe(false);
    if (event.type === 'session.status_idle') break;
  }
}

async function preview(port: number): Promise<PreviewUrl> {
  return client.post(`/v1/sessions/${sessionId}/preview_urls`, { body: { port } });
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** The name of a preview is told, not looked up: not every resolver knows names below localhost. */
function ask(url: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  const { host, port, pathname, search } = new URL(url);
  const options = {
    host: '127.0.0.1',
    port,
    path: pathname + search,
    method: body === undefined ? 'GET' : 'POST',
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, headers: { ...headers, host } }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        text += chunk;
      });
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Opens a socket, says "hi" once it was greeted, and returns the two messages it got. */
function talk(url: string, headers: Record<string, string> = {}): Promise<string[]> {
  const { host, port, pathname, search } = new URL(url);
  const handshake = {
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16, 1).toString('base64'),
  };
  return new Promise((resolve, reject) => {
    const path = pathname + search;
    const outgoing = request({ host: '127.0.0.1', port, path, headers: { ...headers, ...handshake, host } });
    outgoing.on('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)));
    outgoing.on('error', reject);
    outgoing.on('upgrade', (_, socket, head) => {
      const messages: string[] = [];
      const read = (data: Buffer) => {
        for (let at = 0; at + 2 <= data.length; at += 2 + (data[at + 1] ?? 0)) {
          messages.push(data.subarray(at + 2, at + 2 + (data[at + 1] ?? 0)).toString());
          if (messages.length === 1) socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
        }
        if (messages.length < 2) return;
        socket.destroy();
        resolve(messages);
      };
      socket.on('data', read);
      if (head.length > 0) read(head);
    });
    outgoing.end();
  });
}
