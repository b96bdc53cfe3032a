// What a hostile process in a sandbox tries against the proxy itself.
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialFor, openWorld, upstreamAuthority, type World } from './testing.ts';

let world: World;
const limits = { perSandbox: 4 };
beforeEach(async () => {
  world = await openWorld({ limits });
});
afterEach(() => world.close());

const reasons = () =>
  world.lines.filter(({ event }) => event === 'egress.denied').map(({ reason }) => reason);

describe('requests that two readers would read as different ones', () => {
  const chunked = 'Transfer-Encoding: chunked';
  it.each([
    ['both lengths', ['Content-Length: 5', chunked]],
    ['both lengths, the other way', [chunked, 'Content-Length: 5']],
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6']],
    ['two lengths that agree', ['Content-Length: 5', 'Content-Length: 5']],
    ['a list of lengths', ['Content-Length: 5, 6']],
    ['a signed length', ['Content-Length: +5']],
    ['a length in hex', ['Content-Length: 0x5']],
    ['two codings', [chunked, chunked]],
    ['a coding before chunked', ['Transfer-Encoding: gzip, chunked']],
    ['chunked before another coding', ['Transfer-Encoding: chunked, identity']],
    ['a coding that only looks like chunked', ['Transfer-Encoding: xchunked']],
    ['a coding after a tab', ['Transfer-Encoding:\tchunked', 'Content-Length: 5']],
    ['a space before the colon', ['Content-Length : 5']],
    ['a folded header', ['X-A: b', ' Content-Length: 5']],
    ['a bare line feed', ['X-A: b\nContent-Length: 5']],
    ['a bare carriage return', ['X-A: b\rContent-Length: 5']],
    ['a NUL in a header', ['X-A: b\0c']],
    ['a length lost on the way', ['Content-Length: 5', 'Connection: content-length']],
  ])('are refused: %s', async (_, lines) => {
    let asked = 0;
    const port = await world.serve((request, response) => {
      asked++;
      request.resume();
      response.end('smuggled');
    });
    const auth = await world.sandbox({});
    const client = await world.client();
    client
      .head(`POST http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth, ...lines)
      .write('0\r\n\r\nGET /x');
    const answer = await client.whole();
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toContain('smuggled');
    expect(asked).toBe(0);
  });

  it.each([
    ['two hosts', ['Host: evil.test']],
    ['two hosts that agree', ['Host: api.test']],
    ['two identities', ['Proxy-Authorization: Basic eA==']],
    ['two credentials', ['Authorization: a', 'Authorization: b']],
    ['a host lost on the way', ['Connection: Host']],
    ['a credential lost on the way', ['Authorization: a', 'Connection: x, authorization']],
  ])('are refused without a body too: %s', async (_, lines) => {
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head('GET http://api.test/ HTTP/1.1', 'Host: api.test', auth, ...lines);
    expect(await client.until(/\}\}/)).toMatch(/^HTTP\/1\.1 400 [\s\S]*"(bad_framing|bad_request)"/);
  });

  it('are not made out of a body', async () => {
    const seen: string[] = [];
    const port = await world.serve((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      request.resume().on('end', () => response.end());
    });
    const auth = await world.sandbox({});
    const inner = `GET http://api.test:${port}/inner HTTP/1.1\r\nHost: api.test:${port}\r\n\r\n`;
    const client = await world.client();
    client
      .head(
        `POST http://api.test:${port}/outer HTTP/1.1`,
        `Host: api.test:${port}`,
        auth,
        `Content-Length: ${inner.length}`,
      )
      .write(inner);
    await client.until(/200 OK/);
    expect(seen).toEqual(['POST /outer']);
  });
});

describe('names that are not what they seem', () => {
  it('an absolute URL for one host and a Host header for another', async () => {
    const auth = await world.sandbox({
      network: { type: 'limited', allowedHosts: ['api.test', 'other.test'] },
    });
    const client = await world.client();
    client.head('GET http://api.test/ HTTP/1.1', 'Host: other.test', auth, 'Connection: close');
    expect(await client.whole()).toMatch(/^HTTP\/1\.1 400 [\s\S]*host_mismatch/);
  });

  it('a tunnel for one host, and TLS for another within', async () => {
    const port = await world.serveTls('evil.test', (_, response) => response.end('reached'));
    const auth = await world.sandbox({ network: { type: 'limited', allowedHosts: [`api.test:${port}`] } });
    const attempt = async (servername: string) => {
      const client = await world.client();
      client.head(`CONNECT api.test:${port} HTTP/1.1`, auth);
      await client.until(/200/);
      client.socket.removeAllListeners('data');
      const ca = upstreamAuthority.certificate;
      const checkServerIdentity = () => undefined;
      return new Promise((resolve) => {
        const secure = connectTls({ socket: client.socket, servername, ca, checkServerIdentity });
        secure
          .once('secureConnect', () => resolve('reached'))
          .once('error', ({ message }) => resolve(message));
      });
    };
    expect(await attempt('evil.test')).toMatch(/unrecognized name/);
    expect(await attempt('api.test')).toBe('reached');
    expect(reasons()).toEqual(['server_name_mismatch']);
  });

  it('a name that means another address each time it is asked', async () => {
    const port = await world.serve((_, response) => response.end('public'));
    const answers = [['127.0.0.1'], ['10.0.0.1'], ['127.0.0.1', '10.0.0.1'], ['10.0.0.1', '169.254.169.254']];
    let asked = 0;
    const rebinding = await openWorld({
      dial: { resolve: async () => answers[asked++] ?? [], permits: (address) => address === '127.0.0.1' },
    });
    const auth = await rebinding.sandbox({});
    const statuses: string[] = [];
    for (const _ of answers) {
      const client = await rebinding.client();
      client.head(
        `GET http://api.test:${port}/ HTTP/1.1`,
        `Host: api.test:${port}`,
        auth,
        'Connection: close',
      );
      statuses.push((await client.whole()).slice(9, 12));
    }
    // Each request asks once, and goes to an address of that answer that was judged, or nowhere.
    expect(statuses).toEqual(['200', '403', '200', '403']);
    expect(asked).toBe(4);
    await rebinding.close();
  });
});

describe('connections that cost more than they should', () => {
  it.each([
    ['a request that never ends its headers', 'GET http://api.test/ HTTP/1.1\r\nX-A: '],
    ['a connection that says nothing', ''],
  ])('%s', async (_, bytes) => {
    const impatient = await openWorld({ limits: { headersMs: 300 } });
    const client = await impatient.client();
    client.write(bytes);
    expect(await client.whole()).toMatch(/^(HTTP\/1\.1 408 [\s\S]*)?$/);
    await impatient.close();
  });

  it('headers without end', async () => {
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head('GET http://api.test/ HTTP/1.1', 'Host: api.test', auth, `X-A: ${'a'.repeat(64 * 1024)}`);
    expect(await client.whole()).toMatch(/^HTTP\/1\.1 431 /);
    expect(reasons()).toEqual(['header_too_large']);
  });

  it('a host that answers with headers without end', async () => {
    const port = await world.serveTcp(
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(64 * 1024)}\r\n\r\n`),
    );
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`GET http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth, 'Connection: close');
    expect(await client.whole()).toMatch(/^HTTP\/1\.1 502 [\s\S]*upstream_failed/);
  });

  it.each([
    ['a tunnel through which nothing goes', []],
    ['a hello that never ends', [22, 3, 1, 1, 0, 1]],
  ])('%s', async (_, bytes) => {
    const impatient = await openWorld({ limits: { idleMs: 2_000 } });
    const port = await impatient.serveTcp(() => {});
    const auth = await impatient.sandbox({});
    const client = await impatient.client();
    client.head(`CONNECT api.test:${port} HTTP/1.1`, auth).write(Buffer.from(bytes));
    await client.until(/200/);
    await client.whole();
    await impatient.close();
  });

  it('TLS to be ended here that never begins', async () => {
    const impatient = await openWorld({ limits: { headersMs: 2_000 } });
    const auth = await impatient.sandbox({ credentials: [credentialFor(['api.test'])] });
    const client = await impatient.client();
    client.head('CONNECT api.test:443 HTTP/1.1', auth);
    await client.until(/200/);
    await client.whole();
    await impatient.close();
  });

  it('more connections than its share, which leaves the others theirs', async () => {
    const port = await world.serveTcp((socket) => void socket.pipe(socket));
    const mine = await world.sandbox({});
    const theirs = await world.sandbox({}, 'sbx-2');
    const open = async (auth: string) => {
      const client = await world.client();
      client.head(`CONNECT api.test:${port} HTTP/1.1`, auth);
      const answer = await client.until(/\r\n\r\n/);
      return { client, status: answer.slice(9, 12) };
    };
    const held = [];
    for (let i = 0; i < limits.perSandbox; i++) held.push(await open(mine));
    expect(held.map(({ status }) => status)).toEqual(['200', '200', '200', '200']);
    expect((await open(mine)).status).toBe('429');
    expect((await open(theirs)).status).toBe('200');
    held[0]?.client.socket.destroy();
    while ((await open(mine)).status !== '200');
  });

  it('connections that do not say who they are, which make room for those that do', async () => {
    const patient = await openWorld({ limits: { unidentified: 3, headersMs: 60_000 } });
    const idle = [];
    for (let i = 0; i < 4; i++) idle.push(await patient.client());
    await idle[0]?.whole();
    const auth = await patient.sandbox({});
    const client = await patient.client();
    client.head('GET http://nowhere.invalid/ HTTP/1.1', 'Host: nowhere.invalid', auth);
    expect(await client.until(/\}\}/)).toContain('unresolvable');
    await patient.close();
  });

  it('another’s name on a connection that has one', async () => {
    await world.sandbox({}, 'sbx-2');
    const mine = await world.sandbox({});
    const theirs = await world.sandbox({}, 'sbx-2');
    const client = await world.client();
    client.head('GET http://nowhere.invalid/ HTTP/1.1', 'Host: nowhere.invalid', mine);
    await client.until(/unresolvable/);
    client.head('GET http://nowhere.invalid/ HTTP/1.1', 'Host: nowhere.invalid', theirs);
    expect(await client.until(/too_many_connections/)).toContain('429');
  });
});

describe('requests that come at the wrong time', () => {
  it.each([
    'CONNECT api.test:1 HTTP/1.1',
    'GET http://api.test/ HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket',
  ])('behind an answer under way: %s', async (line) => {
    const port = await world.serve(() => {});
    const auth = await world.sandbox({});
    const client = await world.client();
    client
      .head(`GET http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth)
      .head(line, 'Host: api.test', auth);
    expect(await client.whole()).toBe('');
  });

  it('an answer that agrees to what was not asked', async () => {
    const port = await world.serveTcp(
      (socket) =>
        void socket.once('data', () =>
          socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nraw'),
        ),
    );
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`GET http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth, 'Connection: close');
    const answer = await client.whole();
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(answer).not.toContain('raw');
  });

  it('HTTP/2 from the first byte', async () => {
    const client = await world.client();
    client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    expect(await client.whole()).toMatch(/^HTTP\/1\.1 (400|505) /);
  });

  it('anything at all: the proxy goes on', async () => {
    for (const bytes of [
      '\0\0\0',
      '\x16\x03\x01\x02\x00',
      'GET',
      '\r\n\r\n\r\n',
      'CONNECT : HTTP/1.1\r\n\r\n',
      `${'A'.repeat(40_000)}`,
    ]) {
      const client = await world.client();
      client.write(bytes).socket.end();
      await client.whole();
    }
    const port = await world.serve((_, response) => response.end('still here'));
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`GET http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth);
    await client.until(/still here/);
  });
});

describe('a flood of denials', () => {
  it('is counted, not told', async () => {
    const auth = await world.sandbox({ network: { type: 'blocked' } });
    const client = await world.client();
    const one = `GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n${auth}\r\n\r\n`;
    client.write(
      one.repeat(149) +
        one.replace('http://evil.test/', 'http://evil.test/ HTTP/1.1\r\nConnection: close\r\nX:'),
    );
    expect((await client.whole()).split('HTTP/1.1 403')).toHaveLength(151);
    expect(reasons()).toHaveLength(100);
    expect(world.denied).toHaveLength(100);
  });
});
