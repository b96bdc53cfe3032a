import { readdirSync } from 'node:fs';
import { connect as dialHost } from 'node:net';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PATIENTLY, startTestEmulator, type TestEmulator, waitingStarts } from './testing.ts';

const PORT = 8080;
/** What the tests need of a server: it tells what it was asked, streams, counts, breaks off and echoes frames. */
const SERVER = `
const http = require('node:http');
const { createHash } = require('node:crypto');
const server = http.createServer((request, response) => {
  const path = request.url.split('?')[0];
  if (path === '/ticks') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('first');
    request.on('close', () => console.log('gone'));
  } else if (path === '/count') {
    let bytes = 0;
    request.on('data', (chunk) => { bytes += chunk.length; }).on('end', () => response.end(String(bytes)));
  } else if (path === '/large') {
    let left = 1024;
    const more = () => { while (left-- > 0) if (!response.write(Buffer.alloc(65536))) return response.once('drain', more); response.end(); };
    more();
  } else if (path === '/broken') {
    response.writeHead(200, { 'content-length': 100 });
    response.write('part', () => request.socket.destroy());
  } else if (path === '/early') {
    response.writeHead(413, { connection: 'close' }).end('too large');
  } else if (path === '/silent') request.socket.destroy();
  else {
    response.setHeader('set-cookie', ['a=1', 'b=2']);
    response.statusCode = 418;
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.rawHeaders }));
  }
});
server.on('upgrade', (request, socket, head) => {
  if (request.url === '/refused') return socket.end('HTTP/1.1 403 Forbidden\\r\\ncontent-length: 2\\r\\n\\r\\nno');
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: Upgrade\\r\\nsec-websocket-accept: ' + accept + '\\r\\n\\r\\n');
  const text = (value) => { const body = Buffer.from(value); socket.write(Buffer.concat([Buffer.from([0x81, body.length]), body])); };
  text(request.url + ' ' + (request.headers.authorization ?? 'none'));
  socket.on('data', (frame) => {
    if ((frame[0] & 15) === 8) return socket.end(Buffer.from([0x88, 0]));
    const mask = frame.subarray(2, 6);
    text(Buffer.from(frame.subarray(6).map((byte, index) => byte ^ mask[index % 4])).toString());
  });
  socket.on('close', () => console.log('gone')).on('error', () => {});
});
server.listen(${PORT}, '127.0.0.1', () => console.log('up'));`;

let world: TestEmulator;
let sandbox: Sandbox;
let output: ReadableStreamDefaultReader<string>;
let url: string;
let token: string;

beforeAll(async () => {
  world = await startTestEmulator();
  sandbox = await world.create();
  output = await served(sandbox);
  ({ url, token } = await sandbox.createConnectToken({ port: PORT }));
}, 60_000);
afterAll(() => world.stop());

const authorized = (given = token) => ({ headers: { authorization: `Bearer ${given}` } });
const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${url}${path}`, { ...init, headers: { ...authorized().headers, ...Object(init.headers) } });

describe('a connect token', { timeout: 60_000 }, () => {
  it('opens a port of its sandbox to HTTP, and stays out of the sandbox', async () => {
    const response = await ask('/a%2Fb?x=1&y', { headers: { 'x-own': 'kept' } });
    expect([response.status, response.headers.getSetCookie()]).toEqual([418, ['a=1', 'b=2']]);
    const seen = await seenBy(response);
    expect(seen).toMatchObject({ method: 'GET', url: '/a%2Fb?x=1&y' });
    expect(seen.headers).toEqual(expect.arrayContaining(['x-own', 'kept']));
    expect(JSON.stringify(seen)).not.toContain(token);
    expect(JSON.stringify(seen).toLowerCase()).not.toContain('authorization');
  });

  it('is taken from the query too, and leaves the server its own credential', async () => {
    const given = { headers: { authorization: 'Bearer of-the-server' } };
    const seen = await seenBy(await fetch(`${url}/p?a=1&_modal_connect_token=${token}`, given));
    expect(seen.url).toBe('/p?a=1');
    expect(seen.headers).toEqual(expect.arrayContaining(['Bearer of-the-server']));
  });

  it('vouches for its user data, which nobody else can claim', async () => {
    const own = await sandbox.createConnectToken({ port: PORT, userMetadata: '{"user":"ana"}' });
    const forged = { 'X-Verified-User-Data': 'forged' };
    const headers = { ...authorized(own.token).headers, ...forged };
    const { headers: seen } = await seenBy(await fetch(`${own.url}/`, { headers }));
    expect(seen.filter((text: string) => /^x-verified/i.test(text))).toHaveLength(1);
    expect(seen).toEqual(expect.arrayContaining(['X-Verified-User-Data', '{"user":"ana"}']));
    const without = await seenBy(await ask('/', { headers: forged }));
    expect(JSON.stringify(without)).not.toMatch(/verified/i);
    await expect(sandbox.createConnectToken({ userMetadata: 'a\r\nb: c' })).rejects.toThrow(
      /printable ASCII/,
    );
    await expect(sandbox.createConnectToken({ userMetadata: 'x'.repeat(512) })).rejects.toThrow(
      /shorter than/,
    );
  });

  it('is asked for: none, a wrong one and one of another sandbox are refused', async () => {
    const other = await world.create();
    const foreign = await other.createConnectToken({ port: PORT });
    expect(foreign.url).not.toBe(url);
    for (const given of ['', 'wrong', foreign.token, `${token}x`]) {
      const response = await fetch(`${url}/`, authorized(given));
      expect([response.status, await response.text()]).toEqual([
        401,
        'The connect token is missing, or is none of this sandbox.\n',
      ]);
      expect((await fetch(`${url}/?_modal_connect_token=${given}`)).status).toBe(401);
    }
    expect((await fetch(`${url}/`)).status).toBe(401);
    await other.terminate();
  });

  it('is asked for by every request of a connection', async () => {
    const head = (given: string) =>
      `GET /count HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${given}\r\n\r\n`;
    const answer = await rawly(`${head(token)}${head('wrong')}`);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401']);
  });

  it('is for one port, where it says plainly that nothing listens', async () => {
    const own = await sandbox.createConnectToken({ port: 9 });
    const response = await fetch(`${own.url}/`, authorized(own.token));
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      502,
      'text/plain; charset=utf-8',
      'Nothing listens on 127.0.0.1:9 of the sandbox.\n',
    ]);
  });
});

describe('HTTP through a connect token', { timeout: 60_000 }, () => {
  it('streams an answer as it comes, and tells the server when nobody listens any more', async () => {
    const stop = new AbortController();
    const response = await ask('/ticks', { signal: stop.signal });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('first');
    stop.abort();
    expect((await output.read()).value).toBe('gone\n');
  });

  it('carries large bodies both ways', async () => {
    const size = 32 * 1024 * 1024;
    expect(await (await ask('/count', { method: 'POST', body: Buffer.alloc(size) })).text()).toBe(
      String(size),
    );
    const body = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 16; index++) controller.enqueue(new Uint8Array(65_536));
        controller.close();
      },
    });
    const chunked = await ask('/count', { method: 'POST', body, duplex: 'half' });
    expect(await chunked.text()).toBe(String(16 * 65_536));
    expect((await (await ask('/large')).arrayBuffer()).byteLength).toBe(64 * 1024 * 1024);
    expect((await ask('/large', { method: 'HEAD' })).status).toBe(200);
  });

  it('answers a hundred at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, index) =>
        (await ask('/count', { method: 'POST', body: 'x'.repeat(index) })).text(),
      ),
    );
    expect(answers).toEqual(answers.map((_, index) => String(index)));
  });

  it('does not make a broken answer look whole, nor hide one that came early', async () => {
    await expect(ask('/broken').then((response) => response.text())).rejects.toThrow();
    const silent = await ask('/silent');
    expect([silent.status, await silent.text()]).toEqual([502, expect.stringMatching(/did not answer/)]);
    const early = await ask('/early', { method: 'POST', body: 'x' });
    expect([early.status, await early.text()]).toEqual([413, 'too large']);
  });
});

describe('WebSocket through a connect token', { timeout: 60_000 }, () => {
  it('carries messages both ways and closes', async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/chat?room=1&_modal_connect_token=${token}`);
    expect(await message(socket)).toBe('/chat?room=1 none');
    socket.send('hello');
    expect(await message(socket)).toBe('hello');
    const closed = new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }));
    socket.close();
    await closed;
    expect((await output.read()).value).toBe('gone\n');
  });

  it('is refused without a token, by the server, and where nothing listens', async () => {
    const upgrade = (path: string, given: string) =>
      rawly(
        `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nauthorization: Bearer ${given}\r\n\r\n`,
      );
    expect(await upgrade('/', 'wrong')).toMatch(/^HTTP\/1.1 401 Unauthorized\r\n/);
    expect(await upgrade('/refused', token)).toMatch(/^HTTP\/1.1 403 Forbidden\r\n.*\r\n\r\nno$/s);
    const unused = await sandbox.createConnectToken({ port: 9 });
    expect(await upgrade('/', unused.token)).toMatch(/^HTTP\/1.1 502 Bad Gateway\r\n.*Nothing listens/s);
  });
});

describe('the end of a sandbox', { timeout: 60_000 }, () => {
  it('ends its connections, its listener and its tokens, and leaves no descriptor', async () => {
    // The process that waits for the next sandbox has its own.
    await vi.waitFor(() => expect(waitingStarts()).toHaveLength(1), PATIENTLY);
    const before = readdirSync('/proc/self/fd').length;
    const own = await world.create();
    const lines = await served(own);
    const given = await own.createConnectToken({ port: PORT });
    const response = await fetch(`${given.url}/ticks`, authorized(given.token));
    const socket = new WebSocket(`${given.url.replace('http', 'ws')}/?_modal_connect_token=${given.token}`);
    await message(socket);
    const closed = new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }));
    await own.terminate();
    await closed;
    await expect(response.text()).rejects.toThrow();
    await expect(fetch(`${given.url}/`, authorized(given.token))).rejects.toThrow();
    await expect(own.createConnectToken()).rejects.toThrow(/already shut down/);
    await lines.cancel();
    await vi.waitFor(
      () => expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before),
      PATIENTLY,
    );
  });

  it('that is idle waits for whoever is connected', async () => {
    const own = await world.create({ idleTimeoutMs: 1000 });
    const detached = `setsid node -e "$0" >/dev/null 2>&1 & until exec 3<>/dev/tcp/127.0.0.1/${PORT}; do :; done 2>/dev/null`;
    await (await own.exec(['bash', '-c', detached, SERVER])).wait();
    const given = await own.createConnectToken({ port: PORT });
    const stop = new AbortController();
    await fetch(`${given.url}/ticks`, { ...authorized(given.token), signal: stop.signal });
    await (await sandbox.exec(['sleep', '2'])).wait();
    expect(await own.poll()).toBeNull();
    stop.abort();
    expect(await own.wait()).toBe(124);
  });
});

/** What the server was asked. */
async function seenBy(response: Response): Promise<{ method: string; url: string; headers: string[] }> {
  return JSON.parse(await response.text());
}

/** The lines of the server, once it is up. */
async function served(target: Sandbox): Promise<ReadableStreamDefaultReader<string>> {
  const run = await target.exec(['node', '-e', SERVER]);
  const lines = run.stdout.getReader();
  expect((await lines.read()).value).toBe('up\n');
  return lines;
}

function message(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('message', ({ data }) => resolve(data), { once: true });
    socket.addEventListener('error', () => reject(new Error('the WebSocket failed')), { once: true });
  });
}

/** All that comes back for these bytes. */
async function rawly(bytes: string): Promise<string> {
  const socket = dialHost(Number(new URL(url).port), '127.0.0.1', () => socket.write(bytes));
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
