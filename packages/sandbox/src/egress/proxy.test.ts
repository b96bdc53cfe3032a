import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWorld, portOf, type World } from './testing.ts';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

const reasons = () =>
  world.lines.filter(({ event }) => event === 'egress.denied').map(({ reason }) => reason);

describe('requests in the clear', () => {
  it('go to the host they name, without what was for the proxy alone', async () => {
    let seen: string[] = [];
    const port = await world.serve((request, response) => {
      seen = request.rawHeaders;
      response.setHeader('Connection', 'X-Hop');
      response.setHeader('X-Hop', '1');
      response.setHeader('Proxy-Authenticate', 'Basic');
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.end(`${request.method} ${request.url}`);
    });
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(
      `GET http://api.test:${port}/a?b=c HTTP/1.1`,
      `Host: api.test:${port}`,
      auth,
      'Connection: close, X-Mine',
      'X-Mine: 1',
      'Keep-Alive: 3',
      'TE: trailers',
      'X-Kept: 2',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABk',
    );
    const answer = await client.whole();
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n');
    expect(answer).not.toMatch(/X-Hop|Proxy-Authenticate/);
    expect(answer).toContain('GET /a?b=c');
    expect(seen).toEqual(['Host', `api.test:${port}`, 'X-Kept', '2', 'Connection', 'close']);
  });

  it('are kept alive, and answered in the order they came', async () => {
    const port = await world.serve((request, response) => {
      let body = '';
      request
        .on('data', (chunk) => (body += chunk))
        .on('end', () => response.end(`<${request.url}:${body}>`));
    });
    const auth = await world.sandbox({});
    const client = await world.client();
    const line = (path: string) =>
      `POST http://api.test:${port}${path} HTTP/1.1\r\nHost: api.test:${port}\r\n${auth}\r\n`;
    client.write(
      `${line('/1')}Content-Length: 3\r\n\r\none${line('/2')}Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n${line('/3')}\r\n`,
    );
    const answer = await client.until(/<\/3:>/);
    expect([...answer.matchAll(/<[^>]*>/g)].map(String)).toEqual(['</1:one>', '</2:two>', '</3:>']);
  });

  it('stream, and wait for a host that does not read', async () => {
    const size = 64 * 1024 * 1024;
    const asked = Promise.withResolvers<() => void>();
    const port = await world.serve((request, response) => {
      let taken = 0;
      if (request.method === 'GET') return void response.end('beat');
      asked.resolve(() => {
        request.on('data', (chunk: Buffer) => (taken += chunk.length));
        request.on('end', () => response.end(`took ${taken}`));
      });
    });
    const auth = await world.sandbox({});
    const [client, other] = [await world.client(), await world.client()];
    const host = [`Host: api.test:${port}`, auth];
    client.head(`POST http://api.test:${port}/ HTTP/1.1`, ...host, `Content-Length: ${size}`);
    client.write(Buffer.alloc(size));
    const read = await asked.promise;
    for (let beat = 0; beat < 50; beat++) {
      other.head(`GET http://api.test:${port}/ HTTP/1.1`, ...host);
      await other.until(/beat/);
      other.text = '';
    }
    // What the sockets between hold is a few megabytes.
    expect(client.socket.writableLength).toBeGreaterThan(size / 2);
    read();
    await client.until(new RegExp(`took ${size}`));
  });

  it('carry a WebSocket', async () => {
    const port = await world.serveTcp((socket) => {
      socket.once('data', (bytes) => {
        expect(bytes.toString()).toMatch(/Connection: Upgrade\r\nUpgrade: websocket/);
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello',
        );
        socket.on('data', (more) => socket.write(`echo ${more}`));
      });
    });
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(
      `GET http://ws.test:${port}/ HTTP/1.1`,
      `Host: ws.test:${port}`,
      auth,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: a',
    );
    expect(await client.until(/hello/)).toMatch(/^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Accept: x/);
    client.write('more');
    await client.until(/echo more/);
  });

  it('get the answer of a host that wants no WebSocket', async () => {
    const port = await world.serve((_, response) => response.writeHead(404).end('none here'));
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(
      `GET http://ws.test:${port}/ HTTP/1.1`,
      `Host: ws.test:${port}`,
      auth,
      'Connection: Upgrade',
      'Upgrade: websocket',
    );
    expect(await client.whole()).toMatch(/^HTTP\/1\.1 404 [\s\S]*none here/);
  });

  it('say that a host broke off', async () => {
    const port = await world.serveTcp((socket) => socket.once('data', () => socket.destroy()));
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`GET http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth);
    expect(await client.until(/upstream_failed/)).toMatch(
      /^HTTP\/1\.1 502 Egress denied \(upstream_failed\)/,
    );
  });

  it('end early where the host ends early', async () => {
    const port = await world.serveTcp((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'));
    });
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`GET http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth);
    expect(await client.whole()).toMatch(/half$/);
  });

  it('leave the host when the client leaves', async () => {
    const asked = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const port = await world.serve((request) => {
      request.socket.once('close', () => closed.resolve());
      asked.resolve();
    });
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`GET http://api.test:${port}/ HTTP/1.1`, `Host: api.test:${port}`, auth);
    await asked.promise;
    client.socket.end();
    client.socket.destroy();
    await closed.promise;
  });
});

describe('tunnels', () => {
  const echo = (socket: Socket) => void socket.pipe(socket);

  it('pass bytes both ways, those sent along with CONNECT first, and each end of them', async () => {
    const port = await world.serveTcp(echo);
    const auth = await world.sandbox({});
    const client = await world.client();
    client.write(`CONNECT db.test:${port} HTTP/1.1\r\nHost: x\r\n${auth}\r\n\r\nearly `);
    await client.until(/early /);
    client.write('late');
    client.socket.end();
    expect(await client.whole()).toBe('HTTP/1.1 200 Connection established\r\n\r\nearly late');
  });

  it('let a host speak first', async () => {
    const port = await world.serveTcp((socket) => socket.write('220 ready\r\n'));
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`CONNECT db.test:${port} HTTP/1.1`, auth);
    await client.until(/220 ready/);
  });

  it('deliver every byte to a slow reader after the host has gone', async () => {
    const bytes = randomBytes(8 * 1024 * 1024);
    const port = await world.serveTcp((socket) => void socket.end(bytes));
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head(`CONNECT db.test:${port} HTTP/1.1`, auth);
    client.socket.pause();
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.resume();
    const text = await client.whole();
    expect(Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1').equals(bytes)).toBe(true);
  });
});

describe('who asks', () => {
  it.each([
    ['nothing', []],
    ['another sandbox’s token', ['sbx-2']],
    ['a token of another secret', ['x']],
  ])('is refused with %s', async (_, [name]) => {
    await world.sandbox({});
    const token = name === 'sbx-2' ? world.proxy.identities.tokenFor(name) : 'x'.repeat(43);
    const auth = name === undefined ? 'X: 1' : `Proxy-Authorization: Basic ${btoa(`sbx-1:${token}`)}`;
    for (const line of ['CONNECT api.test:443 HTTP/1.1', 'GET http://api.test/ HTTP/1.1']) {
      const client = await world.client();
      client.head(line, 'Host: api.test', auth);
      const answer = await client.whole();
      expect(answer).toMatch(/^HTTP\/1\.1 407 /);
      expect(answer).toContain('Proxy-Authenticate: Basic realm="capstan"');
    }
    expect(reasons()).toEqual(['unidentified', 'unidentified']);
  });

  it('is refused, and told why, while its rules are not known', async () => {
    const auth = `Proxy-Authorization: Basic ${btoa(`sbx-9:${world.proxy.identities.tokenFor('sbx-9')}`)}`;
    const client = await world.client();
    client.head('CONNECT api.test:443 HTTP/1.1', auth);
    expect(await client.whole()).toMatch(/^HTTP\/1\.1 503 [\s\S]*next call/);
    expect(world.denied).toEqual([{ sandbox: 'sbx-9', target: 'api.test:443', reason: 'policy_unknown' }]);
  });
});

describe('where to', () => {
  const limited = { network: { type: 'limited', allowedHosts: ['api.test', '*.pkg.test'] } } as const;

  it.each([
    ['CONNECT evil.test:443 HTTP/1.1', 'host_not_allowed'],
    ['CONNECT pkg.test:443 HTTP/1.1', 'host_not_allowed'],
    ['CONNECT api.test.evil.test:443 HTTP/1.1', 'host_not_allowed'],
    ['CONNECT 127.0.0.1:443 HTTP/1.1', 'host_not_allowed'],
    ['CONNECT api.test:22 HTTP/1.1', 'port_not_allowed'],
    ['CONNECT api.test:25 HTTP/1.1', 'port_not_allowed'],
    ['CONNECT api.test HTTP/1.1', 'bad_target'],
    ['CONNECT user@api.test:443 HTTP/1.1', 'bad_target'],
    ['GET http://evil.test/ HTTP/1.1', 'host_not_allowed'],
    ['GET http://api.test@evil.test/ HTTP/1.1', 'bad_target'],
    ['GET http://evil.test\\@api.test/ HTTP/1.1', 'bad_request'],
    ['GET https://api.test/ HTTP/1.1', 'bad_target'],
    ['GET ftp://api.test/ HTTP/1.1', 'bad_target'],
    ['GET / HTTP/1.1', 'bad_target'],
  ])('%s: %s', async (line, reason) => {
    const auth = await world.sandbox(limited);
    const client = await world.client();
    client.head(line, `Host: ${/\/\/([^/]*)\//.exec(line)?.[1] ?? 'api.test'}`, auth, 'Connection: close');
    expect(await client.whole()).toContain(`X-Capstan-Egress: ${reason}`);
    expect(reasons()).toEqual([reason]);
  });

  it('a sandbox without a network goes nowhere', async () => {
    const auth = await world.sandbox({ network: { type: 'blocked' } });
    const client = await world.client();
    client.head('CONNECT api.test:443 HTTP/1.1', auth);
    expect(await client.whole()).toMatch(/^HTTP\/1\.1 403 Egress denied \(network_blocked\)/);
  });

  it.each([
    [['10.0.0.1'], 403, 'address_not_public'],
    [['::ffff:127.0.0.1', '169.254.169.254'], 403, 'address_not_public'],
    [[], 502, 'unresolvable'],
  ])('a name that resolves to %j is answered with %i', async (addresses, status, reason) => {
    world.names.set('api.test', addresses);
    const auth = await world.sandbox({});
    const client = await world.client();
    client.head('CONNECT api.test:443 HTTP/1.1', auth);
    expect(await client.whole()).toMatch(new RegExp(`^HTTP/1.1 ${status} Egress denied \\(${reason}\\)`));
  });

  it('tells one line for a denial, with no word of what was asked', async () => {
    const auth = await world.sandbox(limited);
    const client = await world.client();
    client.head(
      'GET http://evil.test/secret-path?q=secret-query HTTP/1.1',
      'Host: evil.test',
      auth,
      'X-Body: secret-header',
      'Connection: close',
    );
    const answer = await client.whole();
    expect(JSON.parse(answer.slice(answer.indexOf('{')))).toEqual({
      error: {
        type: 'egress_denied',
        reason: 'host_not_allowed',
        message: expect.stringMatching(/^evil\.test:80: .*networking\.allowed_hosts/),
      },
    });
    expect(world.lines).toEqual([
      {
        at: expect.any(String),
        level: 'warn',
        event: 'egress.denied',
        sandbox: 'sbx-1',
        host: 'evil.test',
        port: 80,
        reason: 'host_not_allowed',
      },
    ]);
    expect(JSON.stringify(world.lines)).not.toMatch(/secret/);
  });
});

describe('rules that change', () => {
  it('cut tunnels they do not allow, and leave the others', async () => {
    const port = await world.serveTcp((socket) => void socket.pipe(socket));
    const auth = await world.sandbox({});
    const [cut, kept] = [await world.client(), await world.client()];
    cut.head(`CONNECT evil.test:${port} HTTP/1.1`, auth).write('a');
    kept.head(`CONNECT api.test:${port} HTTP/1.1`, auth).write('a');
    await Promise.all([cut.until(/\r\n\r\na/), kept.until(/\r\n\r\na/)]);
    await world.sandbox({ network: { type: 'limited', allowedHosts: [`api.test:${port}`] } });
    await cut.whole();
    kept.write('still');
    await kept.until(/still/);
    await world.proxy.forget('sbx-1');
    await kept.whole();
  });
});

describe('the proxy', () => {
  it('ends every connection when it closes', async () => {
    const other = await openWorld();
    const port = await other.serveTcp((socket) => void socket.pipe(socket));
    const auth = await other.sandbox({});
    const client = await other.client();
    client.head(`CONNECT api.test:${port} HTTP/1.1`, auth).write('a');
    await client.until(/\r\n\r\na/);
    await other.proxy.close();
    await client.whole();
    await other.close();
    expect(portOf({ address: () => ({ address: '', family: '', port: 1 }) })).toBe(1);
  });
});
