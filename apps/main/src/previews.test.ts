import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { PreviewUrl } from '@capstan/schema/preview-urls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let sandbox: Server;
let sessionId: string;
/** What reached the sandbox last. */
let seen: IncomingMessage['headers'] & { path?: string };

beforeAll(async () => {
  sandbox = createServer((incoming, outgoing) => {
    seen = { ...incoming.headers, path: incoming.url };
    outgoing.setHeader('set-cookie', ['theirs=1; Domain=preview.test; Path=/', 'own=2']);
    incoming.pipe(outgoing);
    if (incoming.method === 'GET') outgoing.end('from the sandbox');
  });
  await new Promise<void>((resolve) => sandbox.listen(0, '127.0.0.1', resolve));
  const address = sandbox.address();
  const port = typeof address === 'object' ? address?.port : 0;
  world = await openWorld({ exposedUrl: `http://127.0.0.1:${port}` });
  const agent = await made('/v1/agents', { name: 'Previewer', model: 'some-model' });
  sessionId = await made('/v1/sessions', { agent });
});
afterAll(async () => {
  await world.close();
  sandbox.close();
});

describe('a preview URL', () => {
  it('shows what listens in the sandbox, and keeps its token out of the address', async () => {
    const preview = await create(3000);
    expect(new URL(preview.url).hostname).toBe(`3000-${sessionId.slice(5)}.preview.test`);
    const opened = await get(preview.url);
    expect(opened.status).toBe(303);
    expect(opened.headers.location).toBe(`${preview.origin}/`);
    const [cookie = ''] = opened.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(/^capstan_preview=.*; HttpOnly; SameSite=Lax$/);
    const shown = await get(`${preview.origin}/page?q=1`, { cookie: `${cookie.split(';')[0]}; mine=3` });
    expect(shown).toMatchObject({ status: 200, text: 'from the sandbox' });
    expect(seen).toMatchObject({
      path: '/page?q=1',
      authorization: 'Bearer of the sandbox',
      'x-port': '3000',
      cookie: 'mine=3',
      'x-forwarded-host': new URL(preview.origin).host,
    });
    expect(shown.headers['set-cookie']).toEqual(['theirs=1; Path=/', 'own=2']);
    expect(JSON.stringify(seen)).not.toContain(preview.token);
  });

  it('takes programs by a header, with what they send', async () => {
    const { origin, token } = await create(3000);
    const headers = { 'x-capstan-preview-token': token, authorization: 'Bearer of the visitor' };
    const posted = await get(`${origin}/submit`, headers, { method: 'POST', body: 'a body' });
    expect(posted).toMatchObject({ status: 200, text: 'a body' });
    expect(seen.authorization).toBe('Bearer of the sandbox');
    expect(seen).not.toHaveProperty('x-capstan-preview-token');
  });

  it('shows nothing without a token, with one of another place, or an expired one', async () => {
    const { origin, token } = await create(3000);
    const other = await create(3001);
    expect(await get(`${origin}/`)).toMatchObject({ status: 401 });
    expect(await get(`${origin}/`, { 'x-api-key': world.key })).toMatchObject({ status: 401 });
    for (const wrong of [other.token, `${token}x`, token.replace(/^./, 'A'), 'x', '', '.']) {
      expect((await get(`${origin}/`, { 'x-capstan-preview-token': wrong })).status).toBe(401);
    }
    expect(
      await get(`${origin.replace('3000-', '3001-')}/`, { 'x-capstan-preview-token': token }),
    ).toMatchObject({
      status: 401,
    });
  });

  it('refuses what pages of other sites ask for', async () => {
    const { origin, token } = await create(3000);
    const asked = (site: string, mode: string) =>
      get(`${origin}/`, {
        cookie: `capstan_preview=${token}`,
        'sec-fetch-site': site,
        'sec-fetch-mode': mode,
      });
    expect((await asked('same-site', 'no-cors')).status).toBe(403);
    expect((await asked('cross-site', 'cors')).status).toBe(403);
    expect((await asked('same-origin', 'cors')).status).toBe(200);
  });

  it('says why there is nothing to see', async () => {
    const { origin, token } = await create(9);
    const answer = await get(`${origin}/`, { 'x-capstan-preview-token': token });
    expect(answer).toMatchObject({ status: 503, text: expect.stringContaining('no sandbox that runs') });
    expect((await get(`${new URL(origin).protocol}//none.preview.test/`)).status).toBe(404);
  });

  it('never answers with the platform at its host, nor the other way round', async () => {
    const { origin, token } = await create(3000);
    const headers = { 'x-api-key': world.key, 'x-capstan-preview-token': token };
    expect(await get(`${origin}/v1/agents`, headers)).toMatchObject({ text: 'from the sandbox' });
  });

  it('is for sessions of the caller, ports that exist, and a day at most', async () => {
    const post = (id: string, body: object, key = world.key) =>
      world.fetch(`/v1/sessions/${id}/preview_urls`, {
        method: 'POST',
        headers: { 'x-api-key': key },
        body: JSON.stringify(body),
      });
    expect((await post(sessionId, { port: 3000 }, world.strangerKey)).status).toBe(404);
    expect((await post(sessionId, { port: 0 })).status).toBe(400);
    expect((await post(sessionId, { port: 80, ttl_seconds: 86_401 })).status).toBe(400);
    expect((await post(sessionId, {})).status).toBe(400);
  });
});

async function made(path: string, body: object): Promise<string> {
  const headers = { 'x-api-key': world.key };
  const answer = await world.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const { id }: { id: string } = await answer.json();
  return id;
}

async function create(port: number): Promise<PreviewUrl> {
  const headers = { 'x-api-key': world.key };
  const body = JSON.stringify({ port });
  const answer = await world.fetch(`/v1/sessions/${sessionId}/preview_urls`, {
    method: 'POST',
    headers,
    body,
  });
  expect(answer.status).toBe(200);
  return answer.json();
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/** The Worker is reached by its own address, and told the preview's: no name server knows that. */
function get(
  url: string,
  headers: Record<string, string> = {},
  { method = 'GET', body = '' } = {},
): Promise<Answer> {
  const { host, pathname, search } = new URL(url);
  const own = new URL(world.url);
  return new Promise((resolve, reject) => {
    const options = { host: own.hostname, port: own.port, path: pathname + search, method };
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
