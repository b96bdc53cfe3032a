import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { passOn } from './preview-exchange.ts';

const PREVIEW = 'https://3000-x.preview.test';
let sandbox: Server;
let url: string;
let seen: IncomingHttpHeaders;

beforeAll(async () => {
  sandbox = createServer((incoming, outgoing) => {
    seen = incoming.headers;
    const moved: Record<string, string> = {
      '/here': `http://${incoming.headers.host}/there?x=1#y`,
      '/relative': '/there',
      '/away': 'https://elsewhere.test/there',
    };
    const location = moved[incoming.url ?? ''];
    outgoing.writeHead(location === undefined ? 200 : 307, {
      ...(location !== undefined && { location }),
      'set-cookie': ['a=1; Domain=.preview.test; Path=/; Secure', 'b=2'],
    });
    outgoing.end(incoming.url);
  });
  await new Promise<void>((resolve) => sandbox.listen(0, '127.0.0.1', resolve));
  const address = sandbox.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});
afterAll(() => sandbox.close());

const pass = (path: string, init: RequestInit = {}) =>
  passOn(new Request(PREVIEW + path, init), new URL(PREVIEW + path), {
    url,
    headers: { authorization: 'Bearer of the sandbox' },
  });

describe('a request of a preview', () => {
  it('keeps its path and query', async () => {
    expect(await (await pass('/a%20b/../c?x=%2F&y')).text()).toBe('/c?x=%2F&y');
  });

  it("shows the sandbox nothing of the platform's, and who asked", async () => {
    await pass('/', {
      headers: {
        cookie: '__Host-capstan_preview=token; own=1',
        authorization: 'Bearer of the visitor',
        'x-capstan-preview-token': 'token',
        'cf-connecting-ip': '192.0.2.1',
        'x-forwarded-host': 'forged.test',
        'x-own': 'kept',
      },
    });
    expect(seen).toMatchObject({
      cookie: 'own=1',
      authorization: 'Bearer of the sandbox',
      'x-own': 'kept',
      'x-forwarded-host': '3000-x.preview.test',
      'x-forwarded-proto': 'https',
    });
    expect(Object.keys(seen)).not.toContain('cf-connecting-ip');
    expect(JSON.stringify(seen)).not.toContain('token');
  });

  it.each([
    ['/here', `${PREVIEW}/there?x=1#y`],
    ['/relative', `${PREVIEW}/there`],
    ['/away', 'https://elsewhere.test/there'],
  ])('that is sent on by %s goes to %s', async (path, location) => {
    const answer = await pass(path);
    expect(answer.status).toBe(307);
    expect(answer.headers.get('location')).toBe(location);
  });

  it('gets cookies for its own origin only', async () => {
    expect((await pass('/')).headers.getSetCookie()).toEqual(['a=1; Path=/; Secure', 'b=2']);
  });
});
