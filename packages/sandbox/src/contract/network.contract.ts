// What every implementation of the Sandboxes port keeps: ways in, and ways out.
import { describe, expect, it } from 'vitest';
import type { ExposedPort, NetworkPolicy } from '../port.ts';
import { newName, newRunId, refuses, text, type World } from './world.contract.ts';

/** Answers GET with the path, and a WebSocket with what it was sent, backwards. */
const SERVER = `
import base64, hashlib, socketserver, sys
class Peer(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode().split()
        headers = {}
        while (header := self.rfile.readline().decode().strip()):
            name, _, value = header.partition(':')
            headers[name.lower()] = value.strip()
        if 'sec-websocket-key' in headers: return self.talk(headers)
        body = ('you asked for ' + line[1]).encode()
        self.wfile.write(b'HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-length: %d\\r\\n\\r\\n' % len(body) + body)
    def talk(self, headers):
        key = headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
        self.wfile.write(b'HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: Upgrade\\r\\nsec-websocket-accept: ' + accept + b'\\r\\n\\r\\n')
        while (head := self.rfile.read(2)) and head[0] & 15 == 1:
            size = head[1] & 127
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(size)))
            self.wfile.write(bytes([129, size]) + data[::-1])
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(('127.0.0.1', int(sys.argv[1])), Peer).serve_forever()
`;

export function describeNetwork(world: World): void {
  const { sh, start } = world;

  describe('a port that is exposed', { timeout: 60_000 }, () => {
    const serve = async (port: number) => {
      const runId = newRunId();
      await start(['python3', '-c', SERVER, String(port)], { runId, waitMs: 0, timeoutMs: 60_000 });
      await sh(
        `for i in {1..300}; do (: </dev/tcp/127.0.0.1/${port}) 2>/dev/null && break; read -t 0.1 <> <(:); done`,
      );
      const exposed = await world.sandboxes.expose({ sandboxId: world.sandboxId, port });
      return { exposed, stop: () => world.sandboxes.killRun({ sandboxId: world.sandboxId, runId }) };
    };

    it('answers HTTP to whoever has the headers, and nobody else', async () => {
      const { exposed, stop } = await serve(8000);
      const { url, headers } = exposed;
      const answers = await Promise.all(
        ['/one?x=1', '/two'].map((path) => fetch(url + path, { headers }).then((answer) => answer.text())),
      );
      expect(answers).toEqual(['you asked for /one?x=1', 'you asked for /two']);
      for (const stranger of [{}, { authorization: 'Bearer x' }]) {
        const answer = await fetch(url, { headers: stranger });
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(await answer.text()).not.toContain('you asked');
      }
      await stop();
    });

    it('carries a WebSocket both ways', async () => {
      const { exposed, stop } = await serve(8001);
      expect(await talk(exposed, ['abc', 'hello'])).toEqual(['cba', 'olleh']);
      await stop();
    });

    it('does not answer where nothing listens, nor for a sandbox that is gone', async () => {
      const { url, headers } = await world.sandboxes.expose({ sandboxId: world.sandboxId, port: 8009 });
      expect((await fetch(url, { headers })).status).toBeGreaterThanOrEqual(500);
      const { sandboxId } = await world.sandboxes.create({ name: newName() });
      await world.sandboxes.terminate(sandboxId);
      await expect(world.sandboxes.expose({ sandboxId, port: 80 })).rejects.toEqual(refuses('gone'));
      const unknown = { sandboxId: `sb-${'A'.repeat(26)}`, port: 80 };
      await expect(world.sandboxes.expose(unknown)).rejects.toEqual(refuses('not_found'));
    });
  });

  describe('the network of a sandbox', { timeout: 60_000 }, () => {
    const limited: NetworkPolicy = {
      type: 'limited',
      allowedHosts: ['nowhere.example', '*.nowhere.example'],
    };
    const make = async (network?: NetworkPolicy) => {
      const { sandboxId } = await world.sandboxes.create({ name: newName(), network });
      const { host, port } = world.outside;
      const command = `timeout 10 bash -c ': </dev/tcp/${host}/${port}' 2>/dev/null && echo out || echo in`;
      return {
        sandboxId,
        set: (next: NetworkPolicy) => world.sandboxes.setNetwork({ sandboxId, network: next }),
        look: async () => text((await world.sandboxes.exec({ sandboxId, command })).stdout),
      };
    };

    it('lets nothing out that it does not allow, from its creation on', async () => {
      for (const network of [{ type: 'blocked' }, { type: 'limited', allowedHosts: [] }, limited] as const) {
        const { sandboxId, look } = await make(network);
        expect(await look()).toBe('in\n');
        await world.sandboxes.terminate(sandboxId);
      }
    });

    it('lets out to what it allows', async () => {
      for (const network of [
        undefined,
        { type: 'unrestricted' } as const,
        { type: 'limited', allowedHosts: [world.outside.host] } as const,
      ]) {
        const { sandboxId, look } = await make(network);
        expect(await look()).toBe('out\n');
        await world.sandboxes.terminate(sandboxId);
      }
    });

    it('changes while the sandbox runs', async () => {
      const { sandboxId, set, look } = await make();
      const seen: string[] = [];
      for (const network of [
        limited,
        { type: 'unrestricted' },
        { type: 'limited', allowedHosts: [] },
      ] as const) {
        await set(network);
        seen.push(await look());
      }
      await set({ type: 'limited', allowedHosts: [world.outside.host] });
      seen.push(await look());
      await set({ type: 'blocked' });
      seen.push(await look());
      expect(seen).toEqual(['in\n', 'out\n', 'in\n', 'out\n', 'in\n']);
      await world.sandboxes.terminate(sandboxId);
      await expect(set(limited)).rejects.toEqual(refuses('gone'));
      const unknown = { sandboxId: `sb-${'A'.repeat(26)}`, network: limited };
      await expect(world.sandboxes.setNetwork(unknown)).rejects.toEqual(refuses('not_found'));
    });

    it('refuses hosts that are none', async () => {
      const network: NetworkPolicy = { type: 'limited', allowedHosts: ['https://a.example'] };
      await expect(world.sandboxes.create({ name: newName(), network })).rejects.toThrow(
        /^network.allowedHosts.0: must be a host/,
      );
    });
  });
}

/** What comes back for each message, in order. */
async function talk({ url, headers }: ExposedPort, messages: string[]): Promise<unknown[]> {
  // Node's WebSocket takes headers; the standard's does not.
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  const heard: unknown[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => {
      for (const message of messages) socket.send(message);
    });
    socket.addEventListener('message', ({ data }) => {
      heard.push(data);
      if (heard.length === messages.length) resolve();
    });
    socket.addEventListener('error', () => reject(new Error('The WebSocket failed')));
  });
  socket.close();
  return heard;
}
