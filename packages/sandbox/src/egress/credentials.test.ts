import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SandboxCredential } from '../port.ts';
import { createSandboxEgresses } from './attachment.ts';
import { createAuthority } from './authority.ts';
import type { EgressPolicy } from './policy.ts';
import { credentialFor, openWorld, RawClient, type World } from './testing.ts';

let world: World;
let requests: { path: string; headers: IncomingMessage['headers']; body: string }[];
let port: number;
let credential: SandboxCredential;
/** What the host answers to a path. */
let answers: Record<
  string,
  (request: IncomingMessage) => { headers?: Record<string, string | string[]>; body: string | Buffer }
>;

beforeEach(async () => {
  world = await openWorld();
  requests = [];
  answers = {};
  port = await world.serveTls('api.test', (request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      requests.push({ path: request.url ?? '', headers: request.headers, body });
      const answer = answers[request.url ?? '']?.(request) ?? { body: 'fine' };
      response.writeHead(200, answer.headers).end(answer.body);
    });
  });
  credential = credentialFor([`api.test:${port}`]);
});
afterEach(() => world.close());

const trusted = () => ({ ca: world.proxy.authority.certificate });

/** TLS within a tunnel to `host`; refused handshakes reject. */
async function secureTunnel(auth: string, host: string, options: ConnectionOptions = {}): Promise<RawClient> {
  const client = await world.client();
  client.head(`CONNECT ${host} HTTP/1.1`, auth);
  await client.until(/^HTTP\/1\.1 200 /);
  client.socket.removeAllListeners('data');
  return await handshake(client.socket, { servername: host.split(':')[0] ?? '', ...trusted(), ...options });
}

function handshake(socket: Duplex, options: ConnectionOptions): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const secure: TLSSocket = connect({ socket, ...options });
    secure.once('secureConnect', () => resolve(new RawClient(secure)));
    secure.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

async function ask(
  lines: string[],
  policy: Partial<EgressPolicy> = { credentials: [credential] },
  body = '',
): Promise<string> {
  const auth = await world.sandbox(policy);
  const client = await secureTunnel(auth, `api.test:${port}`);
  client.head(...lines, `Host: api.test:${port}`, 'Connection: close').write(body);
  return await client.whole();
}

describe('a credential at its own host', () => {
  it('takes the placeholder’s place in headers, and is logged without its value', async () => {
    await ask([
      'GET / HTTP/1.1',
      `Authorization: Bearer ${credential.placeholder}`,
      `X-Also: a${credential.placeholder}b`,
    ]);
    expect(requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${credential.secret}`,
      'x-also': `a${credential.secret}b`,
      'accept-encoding': 'identity',
      host: `api.test:${port}`,
    });
    expect(world.lines).toEqual([
      expect.objectContaining({
        event: 'egress.credential_used',
        credential: 'vcrd_1',
        sandbox: 'sbx-1',
        host: 'api.test',
        status: 200,
      }),
    ]);
    expect(JSON.stringify(world.lines)).not.toContain(credential.secret);
  });

  it('takes its place inside Basic credentials, as git and curl -u send them', async () => {
    await ask(['GET / HTTP/1.1', `Authorization: Basic ${btoa(`x-access-token:${credential.placeholder}`)}`]);
    expect(requests[0]?.headers.authorization).toBe(`Basic ${btoa(`x-access-token:${credential.secret}`)}`);
  });

  it('is put into query and body only where it says so', async () => {
    const path = `/?key=${credential.placeholder}`;
    const body = JSON.stringify({ key: credential.placeholder });
    const lines = [
      `POST ${path} HTTP/1.1`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    ];
    await ask(lines, undefined, body);
    expect(requests[0]).toMatchObject({ path, body });
    const everywhere = {
      ...credential,
      secret: 'q"s&/ü',
      locations: { header: false, query: true, body: true },
    };
    await ask([...lines, `X-Key: ${credential.placeholder}`], { credentials: [everywhere] }, body);
    expect(requests[1]).toMatchObject({
      path: '/?key=q%22s%26%2F%C3%BC',
      body: JSON.stringify({ key: everywhere.secret }),
    });
    expect(requests[1]?.headers['x-key']).toBe(credential.placeholder);
    expect(requests[1]?.headers['content-length']).toBe(
      String(Buffer.byteLength(JSON.stringify({ key: everywhere.secret }))),
    );
  });

  it('is written into a body that comes in chunks cut anywhere', async () => {
    const inBody = { ...credential, locations: { header: false, query: false, body: true } };
    const chunks = [
      'a=',
      ...(`${credential.placeholder}&b=${credential.placeholder}`.match(/.{1,7}/g) ?? []),
    ];
    const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
    const lines = [
      'POST / HTTP/1.1',
      'Content-Type: application/x-www-form-urlencoded',
      'Transfer-Encoding: chunked',
    ];
    await ask(lines, { credentials: [inBody] }, `${body}0\r\n\r\n`);
    const written = encodeURIComponent(credential.secret);
    expect(requests[0]?.body).toBe(`a=${written}&b=${written}`);
  });

  it('is the only one that speaks there', async () => {
    await ask([
      'GET / HTTP/1.1',
      'Authorization: Bearer attackers-own',
      'X-Api-Key: attackers-own',
      'Cookie: session=attackers-own',
      'X-Other: kept',
    ]);
    expect(JSON.stringify(requests[0]?.headers)).not.toContain('attackers-own');
    expect(requests[0]?.headers['x-other']).toBe('kept');
  });

  it('follows the rules as they are now: rotation reaches a connection that is open', async () => {
    const auth = await world.sandbox({ credentials: [credential] });
    const client = await secureTunnel(auth, `api.test:${port}`);
    const lines = ['GET / HTTP/1.1', `Host: api.test:${port}`, `Authorization: ${credential.placeholder}`];
    client.head(...lines);
    await client.until(/fine/);
    await world.sandbox({ credentials: [{ ...credential, secret: 'another-secret' }] });
    client.text = '';
    client.head(...lines);
    await client.until(/fine/);
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([
      credential.secret,
      'another-secret',
    ]);
  });
});

describe('a credential elsewhere', () => {
  it('is never sent to a host that is not its own, nor named by a redirect', async () => {
    let seen = '';
    const evil = await world.serveTls('evil.test', (request, response) => {
      seen = JSON.stringify(request.headers);
      response.end();
    });
    answers['/redirect'] = () => ({ headers: { Location: `https://evil.test:${evil}/` }, body: '' });
    const answer = await ask(['GET /redirect HTTP/1.1', `Authorization: ${credential.placeholder}`]);
    expect(answer).toContain(`Location: https://evil.test:${evil}/`);
    const auth = await world.sandbox({ credentials: [credential] });
    const { upstreamAuthority } = await import('./testing.ts');
    const client = await secureTunnel(auth, `evil.test:${evil}`, { ca: upstreamAuthority.certificate });
    client.head(
      'GET / HTTP/1.1',
      'Host: evil.test',
      `Authorization: ${credential.placeholder}`,
      'Connection: close',
    );
    await client.whole();
    expect(seen).toContain(credential.placeholder);
    expect(seen).not.toContain(credential.secret);
  });

  it('leaves its host no way in the clear and no other port', async () => {
    const plain = await world.serve((_, response) => response.end('plain'));
    const auth = await world.sandbox({ credentials: [credential] });
    const client = await world.client();
    client.head(
      `GET http://api.test:${plain}/ HTTP/1.1`,
      `Host: api.test:${plain}`,
      auth,
      `Authorization: ${credential.placeholder}`,
    );
    expect(await client.until(/\}\}/)).toContain('credential_needs_tls');
    const other = await world.client();
    other.head(`CONNECT api.test:${plain} HTTP/1.1`, auth);
    expect(await other.whole()).toContain('credential_port');
  });

  it('is not sent to a host whose certificate does not verify', async () => {
    const self = createAuthority('an-authority-nobody-trusts-at-all-');
    const bad = await openWorld({
      dial: { resolve: async () => ['127.0.0.1'], permits: () => true, authorities: [self.certificate] },
    });
    const auth = await bad.sandbox({ credentials: [credential] });
    const outer = await bad.client();
    outer.head(`CONNECT api.test:${port} HTTP/1.1`, auth);
    await outer.until(/200/);
    outer.socket.removeAllListeners('data');
    const client = await handshake(outer.socket, {
      servername: 'api.test',
      ca: bad.proxy.authority.certificate,
    });
    client.head('GET / HTTP/1.1', `Host: api.test:${port}`, `Authorization: ${credential.placeholder}`);
    expect(await client.until(/\}\}/)).toContain('certificate_refused');
    expect(requests).toEqual([]);
    await bad.close();
  });

  it('does not widen a network', async () => {
    const auth = await world.sandbox({
      network: { type: 'limited', allowedHosts: ['other.test'] },
      credentials: [credential],
    });
    const client = await world.client();
    client.head(`CONNECT api.test:${port} HTTP/1.1`, auth);
    expect(await client.whole()).toContain('host_not_allowed');
  });
});

describe('a secret that a host echoes', () => {
  const forms = () => {
    const { secret } = credential;
    return [
      secret,
      btoa(`user:${secret}`),
      btoa(`${secret}!`),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('hex'),
    ];
  };

  it('is masked in headers and body, at the same length', async () => {
    answers['/'] = () => ({
      headers: {
        'X-Echo': forms(),
        Location: `/?t=${credential.secret}`,
        'Content-Length': String(forms().join('|').length + 2),
      },
      body: `<${forms().join('|')}>`,
    });
    const answer = await ask(['GET / HTTP/1.1', `Authorization: ${credential.placeholder}`]);
    expect(answer).toContain(`/?t=${'*'.repeat(credential.secret.length)}`);
    expect(answer).toContain(`Content-Length: ${forms().join('|').length + 2}`);
    for (const form of [
      credential.secret,
      encodeURIComponent(credential.secret),
      Buffer.from(credential.secret).toString('hex'),
    ])
      expect(answer).not.toContain(form);
    expect(answer).not.toContain(btoa(credential.secret).slice(4, -4));
  });

  it('is masked in an answer that is encoded although identity was asked for, and a coding that cannot be read is refused', async () => {
    answers['/gzip'] = () => ({
      headers: { 'Content-Encoding': 'gzip' },
      body: gzipSync(`say ${credential.secret} aloud`),
    });
    answers['/odd'] = () => ({ headers: { 'Content-Encoding': 'compress' }, body: credential.secret });
    const gzip = await ask(['GET /gzip HTTP/1.1', 'Accept-Encoding: gzip']);
    expect(gzip).toMatch(/say \*+ aloud/);
    expect(gzip).not.toMatch(/content-encoding/i);
    expect(await ask(['GET /odd HTTP/1.1'])).toMatch(/^HTTP\/1\.1 502 [\s\S]*upstream_encoded/);
  });

  it('is masked over a WebSocket, also where a message is cut into frames, and none is compressed', async () => {
    let offered: IncomingMessage['headers'] = {};
    const ws = await world.serveTls(
      'ws.test',
      () => {},
      (request, socket) => {
        offered = request.headers;
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
        const { authorization = '' } = request.headers;
        // One message in two frames, cut within the secret.
        const parts = [`you are ${authorization.slice(0, 9)}`, `${authorization.slice(9)}, said `];
        socket.on('data', (said) => {
          const bytes = [parts[0] ?? '', `${parts[1]}${said}`].flatMap((part, index) => [
            Buffer.from([index === 0 ? 0x01 : 0x80, part.length]),
            Buffer.from(part),
          ]);
          socket.write(Buffer.concat(bytes));
        });
      },
    );
    const auth = await world.sandbox({ credentials: [{ ...credential, hosts: [`ws.test:${ws}`] }] });
    const client = await secureTunnel(auth, `ws.test:${ws}`);
    client.head(
      'GET / HTTP/1.1',
      `Host: ws.test:${ws}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Extensions: permessage-deflate',
      `Authorization: ${credential.placeholder}`,
    );
    await client.until(/101 Switching/);
    client.write('hello');
    const text = await client.until(/said hello/);
    expect(text.replace(/[^ -~]/g, '')).toMatch(/you are .?\*{25}, said hello/);
    expect(offered.authorization).toBe(credential.secret);
    expect(offered).not.toHaveProperty('sec-websocket-extensions');
  });

  it('cannot be asked for in parts', async () => {
    await ask(['GET / HTTP/1.1', 'Range: bytes=0-3', 'If-Range: x']);
    expect(requests[0]?.headers).not.toHaveProperty('range');
    expect(requests[0]?.headers).not.toHaveProperty('if-range');
  });
});

describe('TLS that is ended here', () => {
  it('takes a hello that came along with CONNECT', async () => {
    const auth = await world.sandbox({ credentials: [credential] });
    const { socket } = await world.client();
    socket.removeAllListeners('data');
    const both = new ConnectAndHello(socket, `CONNECT api.test:${port} HTTP/1.1\r\n${auth}\r\n\r\n`);
    const client = await handshake(both, { servername: 'api.test', ...trusted() });
    client.head('GET / HTTP/1.1', `Host: api.test:${port}`, 'Connection: close');
    expect(await client.whole()).toContain('fine');
  });

  it.each([
    ['another server name', { servername: 'other.test', checkServerIdentity: () => undefined }],
    ['HTTP/2 alone', { ALPNProtocols: ['h2'] }],
    [
      'an old protocol',
      { maxVersion: 'TLSv1.1' as const, minVersion: 'TLSv1' as const, ciphers: 'DEFAULT@SECLEVEL=0' },
    ],
  ])('refuses %s', async (_, options) => {
    const auth = await world.sandbox({ credentials: [credential] });
    await expect(secureTunnel(auth, `api.test:${port}`, options)).rejects.toThrow();
    expect(requests).toEqual([]);
  });

  it('answers HTTP/1.1 to those that offer HTTP/2 too', async () => {
    const auth = await world.sandbox({ credentials: [credential] });
    const client = await secureTunnel(auth, `api.test:${port}`, { ALPNProtocols: ['h2', 'http/1.1'] });
    client.head('GET / HTTP/1.1', `Host: api.test:${port}`, 'Connection: close');
    expect(await client.whole()).toContain('fine');
  });

  it.each([
    [['GET / HTTP/1.1', 'Host: evil.test'], 400, 'host_mismatch'],
    [['GET / HTTP/1.1', 'Host: api.test'], 400, 'host_mismatch'],
    [['GET http://evil.test/ HTTP/1.1', 'Host: evil.test'], 400, 'bad_target'],
    [['CONNECT evil.test:443 HTTP/1.1', 'Host: evil.test:443'], 405, 'method_not_allowed'],
    [['TRACE / HTTP/1.1', 'Host: api.test'], 405, 'method_not_allowed'],
  ])('refuses %j', async (lines, status, reason) => {
    const auth = await world.sandbox({ credentials: [credential] });
    const client = await secureTunnel(auth, `api.test:${port}`);
    client.head(...lines, 'Connection: close');
    const answer = await client.whole();
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(reason);
    expect(requests).toEqual([]);
  });
});

describe('what a sandbox is made with', () => {
  const egresses = () => createSandboxEgresses(world.proxy, 'http://proxy.internal:8792');

  const network = { type: 'unrestricted' } as const;

  it('names the proxy for every program, and trusts our authority only where credentials need it', () => {
    const plain = egresses().needs('sbx-1', { network, credentials: [] }, false);
    const url = `http://sbx-1:${world.proxy.identities.tokenFor('sbx-1')}@proxy.internal:8792`;
    expect(plain).toMatchObject({
      env: {
        HTTP_PROXY: url,
        http_proxy: url,
        HTTPS_PROXY: url,
        https_proxy: url,
        NO_PROXY: 'localhost,127.0.0.1,::1',
        NODE_USE_ENV_PROXY: '1',
      },
      files: [],
      allow: { cidrs: [], domains: ['proxy.internal'] },
    });
    expect(plain.env).not.toHaveProperty('SSL_CERT_FILE');
    const trusting = egresses().needs('sbx-1', { network, credentials: [credential] }, true);
    const files = new Map(trusting.files.map(({ path, content }) => [path, Buffer.from(content).toString()]));
    expect(files.get(trusting.env.NODE_EXTRA_CA_CERTS ?? '')).toBe(world.proxy.authority.certificate);
    const bundle = files.get(trusting.env.SSL_CERT_FILE ?? '') ?? '';
    expect(bundle).toContain(world.proxy.authority.certificate);
    expect(bundle.match(/BEGIN CERTIFICATE/g)?.length).toBeGreaterThan(100);
    expect(JSON.stringify(trusting)).not.toContain(credential.secret);
  });

  it('lets one address through, and nothing where there is no network', () => {
    const allowed = (url: string, type: 'unrestricted' | 'blocked') =>
      createSandboxEgresses(world.proxy, url).needs('sbx-1', { network: { type }, credentials: [] }, false)
        .allow;
    expect(allowed('http://127.0.0.1:8792', 'unrestricted')).toEqual({
      cidrs: ['127.0.0.1/32'],
      domains: [],
    });
    expect(allowed('http://[2606:4700::1]:8792', 'unrestricted')).toEqual({
      cidrs: ['2606:4700::1/128'],
      domains: [],
    });
    expect(allowed('http://127.0.0.1:8792', 'blocked')).toBeNull();
  });
});

/** A socket that sends CONNECT in one packet with what is written first, and does not show the answer to it. */
class ConnectAndHello extends Duplex {
  readonly #socket: Socket;
  #head: string;

  constructor(socket: Socket, head: string) {
    super();
    this.#socket = socket;
    this.#head = head;
    socket.once('data', (answer: Buffer) => {
      this.push(answer.subarray(answer.indexOf('\r\n\r\n') + 4));
      socket.on('data', (chunk: Buffer) => this.push(chunk)).once('end', () => this.push(null));
    });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.#socket.write(Buffer.concat([Buffer.from(this.#head), chunk]));
    this.#head = '';
    done();
  }
}
