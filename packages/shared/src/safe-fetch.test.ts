import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { resolveOverHttps } from './dns-over-https.ts';
import { isSafeFetchError, type SafeFetchPolicy, type SafeInit, safeFetch } from './safe-fetch.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}

/** Two servers that answer alike: they differ in nothing but their origin. */
let servers: Server[] = [];
let here = '';
let there = '';
let answer: Answer;
let seen: Seen[] = [];

beforeAll(async () => {
  servers = await Promise.all([open(), open()]);
  [here = '', there = ''] = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

beforeEach(() => {
  seen = [];
  answer = (_, response) => response.end('hello');
});

function open(): Promise<Server> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body });
      answer(request, response);
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const policy = (more: Partial<SafeFetchPolicy> = {}): SafeFetchPolicy => ({
  allowPrivate: [here, there],
  timeoutMs: 5_000,
  maxBytes: 1_000,
  redirects: 3,
  ...more,
});

const ask = (path = '/', init: SafeInit = {}, more: Partial<SafeFetchPolicy> = {}) =>
  safeFetch(`http://${here}${path}`, init, policy(more));

async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return isSafeFetchError(error) ? error.reason : `not ours: ${error}`;
  }
  return 'no failure';
}

const redirectTo = (locations: Record<string, [status: number, location: string]>) => {
  answer = (request, response) => {
    const [status, location] = locations[request.url ?? ''] ?? [];
    if (status === undefined) return response.end('arrived');
    response.writeHead(status, { location }).end('moved');
  };
};

describe('safeFetch', () => {
  it('asks what it is asked and answers what is answered', async () => {
    answer = (_, response) => response.writeHead(418, { 'x-kind': 'teapot' }).end('short and stout');
    const init = { method: 'POST', headers: { 'x-word': 'a' }, body: 'in' };
    const response = await ask('/pot?size=2', init);
    expect(response.status).toBe(418);
    expect(response.headers.get('x-kind')).toBe('teapot');
    expect(await response.text()).toBe('short and stout');
    expect(seen).toMatchObject([
      { method: 'POST', url: '/pot?size=2', body: 'in', headers: { 'x-word': 'a' } },
    ]);
  });

  it('asks nothing of a place that is not exempted', async () => {
    const work = safeFetch(`http://${here}/`, {}, policy({ allowPrivate: [] }));
    expect(await reasonOf(work)).toBe('scheme_not_allowed');
    const bare = safeFetch(`https://${here}/`, {}, policy({ allowPrivate: [] }));
    expect(await reasonOf(bare)).toBe('address_not_public');
    expect(seen).toEqual([]);
  });

  it('names the host of what it refuses and nothing else of it', async () => {
    const work = safeFetch('https://10.0.0.1/secret?key=word', {}, policy());
    await expect(work).rejects.toThrow(/^10\.0\.0\.1 is on this machine or in a private network/);
    await expect(work).rejects.not.toThrow(/secret|word/);
  });

  it('says that nobody is there', async () => {
    const gone = await open();
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const work = safeFetch(`http://127.0.0.1:${port}/`, {}, policy({ allowPrivate: [`127.0.0.1:${port}`] }));
    expect(await reasonOf(work)).toBe('unreachable');
  });
});

describe('names', () => {
  const resolving = (...addresses: string[]) => ({ resolve: async () => addresses });

  it.each([
    [['10.0.0.1']],
    [['93.184.215.14', '127.0.0.1']],
    [['169.254.169.254']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['2606:4700::1111', 'fd00::1']],
    [['not an address']],
  ])('that resolve to %j are refused', async (addresses) => {
    const work = safeFetch('https://rebind.example.com/', {}, policy(resolving(...addresses)));
    expect(await reasonOf(work)).toBe('address_not_public');
  });

  it('that have no address, or cannot be looked up, are refused', async () => {
    const none = safeFetch('https://nothing.example.com/', {}, policy(resolving()));
    expect(await reasonOf(none)).toBe('unresolvable');
    const resolve = () => Promise.reject(new Error('no answer'));
    const lost = safeFetch('https://nothing.example.com/', {}, policy({ resolve }));
    expect(await reasonOf(lost)).toBe('unresolvable');
  });

  it('are asked of the resolver, exempted places are not', async () => {
    const resolve = () => Promise.reject(new Error('asked'));
    expect(await (await ask('/', {}, { resolve })).text()).toBe('hello');
  });
});

describe('redirects', () => {
  it('are followed within their number', async () => {
    redirectTo({ '/a': [302, '/b'], '/b': [307, `http://${there}/c`] });
    expect(await (await ask('/a', {}, { redirects: 2 })).text()).toBe('arrived');
    expect(await reasonOf(ask('/a', {}, { redirects: 1 }))).toBe('too_many_redirects');
  });

  it('are the answer where none is followed', async () => {
    redirectTo({ '/a': [302, '/b'] });
    const response = await ask('/a', {}, { redirects: 0 });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/b']);
    expect(seen).toHaveLength(1);
  });

  it.each([
    ['https://169.254.169.254/latest/meta-data/', 'address_not_public'],
    ['http://localhost:1/', 'scheme_not_allowed'],
    ['https://localhost:9200/', 'address_not_public'],
    ['https://[::ffff:10.0.0.1]/', 'address_not_public'],
    ['https://2130706433/', 'address_not_public'],
    ['http://example.com/', 'scheme_not_allowed'],
    ['https://user:word@example.com/', 'credentials_in_url'],
    ['https://example.com:22/', 'port_not_allowed'],
    ['file:///etc/passwd', 'scheme_not_allowed'],
    ['https://', 'redirect_refused'],
  ])('to %s are refused', async (location, reason) => {
    redirectTo({ '/a': [302, '/b'], '/b': [302, location] });
    expect(await reasonOf(ask('/a'))).toBe(reason);
    expect(seen.map(({ url }) => url)).toEqual(['/a', '/b']);
  });

  it('to a name that resolves into a private network are refused', async () => {
    redirectTo({ '/a': [302, 'https://rebind.example.com/'] });
    expect(await reasonOf(ask('/a', {}, { resolve: async () => ['192.168.0.1'] }))).toBe(
      'address_not_public',
    );
  });

  it('each pass by the visitor, who may refuse one', async () => {
    redirectTo({ '/a': [302, '/b'], '/b': [302, `http://${there}/c`] });
    const visited: string[] = [];
    const visit = (url: URL) => {
      visited.push(url.pathname);
      if (url.host === there) throw new Error('not there');
    };
    await expect(ask('/a', {}, { visit })).rejects.toThrow('not there');
    expect(visited).toEqual(['/a', '/b', '/c']);
    expect(seen).toHaveLength(2);
  });

  const secret = { authorization: 'Bearer word', cookie: 'a=b', 'x-api-key': 'k', accept: 'text/html' };

  it('take every header to the same origin', async () => {
    redirectTo({ '/a': [302, '/b'] });
    await ask('/a', { headers: secret });
    expect(seen[1]?.headers).toMatchObject(secret);
  });

  it('take none that tells of the caller to another', async () => {
    redirectTo({ '/a': [302, `http://${there}/b`] });
    await ask('/a', { headers: secret });
    expect(seen[1]?.headers.accept).toBe('text/html');
    for (const name of ['authorization', 'cookie', 'x-api-key'])
      expect(seen[1]?.headers[name]).toBeUndefined();
  });

  it.each([
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', 'in'],
    [308, 'POST', 'in'],
  ])('with status %i make a POST a %s', async (status, method, body) => {
    redirectTo({ '/a': [status, '/b'] });
    await ask('/a', { method: 'POST', body: 'in' });
    expect(seen[1]).toMatchObject({ method, body });
  });

  it('take no body to another origin', async () => {
    redirectTo({ '/a': [307, `http://${there}/b`] });
    expect(await reasonOf(ask('/a', { method: 'POST', body: 'secret' }))).toBe('redirect_refused');
    expect(seen).toHaveLength(1);
  });
});

describe('limits', () => {
  it('an answer of exactly the size is whole, and one byte more is an error', async () => {
    answer = (_, response) => response.end('x'.repeat(1_000));
    expect((await (await ask()).text()).length).toBe(1_000);
    answer = (_, response) => response.end('x'.repeat(1_001));
    expect(await reasonOf(ask().then((response) => response.text()))).toBe('too_large');
  });

  it('count what is unpacked', async () => {
    const packed = gzipSync('x'.repeat(1_000_000));
    answer = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed);
    expect(packed.length).toBeLessThan(2_000);
    expect(await reasonOf(ask('/', {}, { maxBytes: 10_000 }).then((r) => r.text()))).toBe('too_large');
    const whole = await ask('/', {}, { maxBytes: 1_000_000 });
    expect(whole.headers.get('content-encoding')).toBeNull();
    expect((await whole.text()).length).toBe(1_000_000);
  });

  it('end a wait for an answer', async () => {
    answer = () => {};
    expect(await reasonOf(ask('/', {}, { timeoutMs: 50 }))).toBe('timeout');
  });

  it('end an answer that never ends', async () => {
    answer = (_, response) => response.write('first');
    const response = await ask('/', {}, { timeoutMs: 1_000 });
    expect(await reasonOf(response.text())).toBe('timeout');
  });

  it('end a resolver that never answers', async () => {
    const resolve = (_: string, signal: AbortSignal) =>
      new Promise<string[]>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const work = safeFetch('https://slow.example.com/', {}, policy({ resolve, timeoutMs: 50 }));
    expect(await reasonOf(work)).toBe('timeout');
  });

  it("end with the caller's own reason when the caller gives up, at any moment", async () => {
    answer = (_, response) => response.write('first');
    const caller = new AbortController();
    const response = await ask('/', { signal: caller.signal });
    caller.abort(new Error('enough'));
    await expect(response.text()).rejects.toThrow('enough');
    await expect(ask('/', { signal: caller.signal })).rejects.toThrow('enough');
  });

  it('say that an answer was cut', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('first', () => response.destroy());
    };
    expect(await reasonOf(ask().then((response) => response.text()))).toBe('unreachable');
  });
});

describe('resolveOverHttps', () => {
  const dns = (answers: Record<string, unknown>) => {
    answer = (request, response) => {
      const type = new URL(request.url ?? '', 'http://x').searchParams.get('type') ?? '';
      const said = answers[type];
      if (said === undefined) return response.writeHead(500).end();
      response.writeHead(200, { 'content-type': 'application/dns-json' }).end(JSON.stringify(said));
    };
  };
  const resolve = () =>
    resolveOverHttps(`http://${here}/dns-query`)('example.com', new AbortController().signal);

  it('gives the addresses of both families and leaves out aliases', async () => {
    dns({
      1: {
        Status: 0,
        Answer: [
          { type: 5, data: 'alias.example.com.' },
          { type: 1, data: '93.184.215.14' },
        ],
      },
      28: { Status: 0, Answer: [{ type: 28, data: '2606:2800::1' }] },
    });
    expect(await resolve()).toEqual(['93.184.215.14', '2606:2800::1']);
    expect(seen[0]?.headers.accept).toBe('application/dns-json');
  });

  it('gives none for a name that is not there', async () => {
    dns({ 1: { Status: 3 }, 28: { Status: 3 } });
    expect(await resolve()).toEqual([]);
  });

  it.each([
    [{ 1: { Status: 0, Answer: [{ type: 1, data: '93.184.215.14' }] } }],
    [{ 1: { Status: 0 }, 28: { Status: 2 } }],
    [{ 1: { Status: 0 }, 28: 'no' }],
    [{ 1: { Status: 0 }, 28: { other: true } }],
  ])('fails when a family is not answered: %j', async (answers) => {
    dns(answers);
    await expect(resolve()).rejects.toThrow('the resolver');
  });
});
