import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, sha256Hex, type World } from './testing/world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

interface Sending {
  cookie?: string;
  origin?: string | null;
  key?: string;
  body?: unknown;
}

function post(path: string, { cookie, origin = world.url, key, body }: Sending): Promise<Response> {
  return world.fetch(path, {
    method: 'POST',
    headers: {
      ...(cookie && { cookie }),
      ...(origin && { origin }),
      ...(key && { 'x-api-key': key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function signIn(body: object): Promise<string> {
  const response = await post('/api/login', { body });
  expect(response.status).toBe(200);
  const [pair = ''] = (response.headers.get('set-cookie') ?? '').split(';');
  return pair;
}

const me = (cookie: string) => world.fetch('/api/me', { headers: { cookie } });

describe('signing in', () => {
  it('turns an API key into a cookie that scripts and other sites cannot use', async () => {
    const response = await post('/api/login', { body: { api_key: world.key } });
    expect(await response.json()).toMatchObject({
      tenant_id: 'tnt_default',
      api_key: { name: 'Bootstrap key', last_four: world.key.slice(-4) },
    });
    const cookie = response.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; SameSite=Strict/);
    expect(cookie).not.toContain(world.key);
  });

  it('refuses a wrong key and a cookie that was tampered with', async () => {
    expect((await post('/api/login', { body: { api_key: 'wrong' } })).status).toBe(401);
    const cookie = await signIn({ api_key: world.key });
    expect((await me(cookie)).status).toBe(200);
    const [name = '', value = ''] = cookie.split('=');
    const [payload = '', mac = ''] = value.split('.');
    const text = Buffer.from(payload, 'base64url').toString().replace('tnt_default', 'tnt_stranger');
    const forged = Buffer.from(text).toString('base64url');
    for (const bad of [`${forged}.${mac}`, `${payload}.${mac.slice(1)}x`, payload, '.', 'x.y']) {
      expect((await me(`${name}=${bad}`)).status).toBe(401);
    }
  });

  it('lets a one-time code in once', async () => {
    const link = await post('/api/login_links', { key: world.strangerKey });
    const { code }: { code: string } = await link.json();
    const cookie = await signIn({ code });
    expect(await (await me(cookie)).json()).toMatchObject({
      tenant_id: 'tnt_stranger',
      model: { provider: 'dev' },
      version: '0.1.0',
    });
    expect((await post('/api/login', { body: { code } })).status).toBe(401);
    expect((await post('/api/login', { body: { code: 'never made' } })).status).toBe(401);
  });

  it('reads no more from a stranger than a key takes', async () => {
    const response = await post('/api/login', { body: { api_key: 'x'.repeat(20_000) } });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({
      error: { type: 'request_too_large', message: 'body: larger than 16384 bytes; send less at a time' },
    });
  });

  it('signs out', async () => {
    const response = await post('/api/logout', { cookie: await signIn({ api_key: world.key }) });
    expect(response.headers.get('set-cookie')).toMatch(/^capstan_console=; .*Max-Age=0/);
  });

  it('ends when the key behind it is revoked', async () => {
    const key = 'a key that will be revoked';
    const hash = await sha256Hex(key);
    const made = await world.keys.create({
      tenantId: 'tnt_default',
      name: 'Old',
      hash,
      lastFour: 'oked',
      now: 1,
    });
    const cookie = await signIn({ api_key: key });
    await world.keys.revoke(made.id, 2);
    expect((await me(cookie)).status).toBe(401);
  });
});

describe('writing with a cookie', () => {
  const body = { name: 'From the Console', model: 'some-model' };

  it('works from the own origin only', async () => {
    const cookie = await signIn({ api_key: world.key });
    expect((await post('/v1/agents', { cookie, body })).status).toBe(200);
    for (const origin of [null, 'https://elsewhere.example', 'null']) {
      expect((await post('/v1/agents', { cookie, body, origin })).status).toBe(403);
    }
    expect((await post('/api/logout', { cookie, origin: 'https://elsewhere.example' })).status).toBe(403);
  });

  it('does not fall back to the cookie when a wrong key is sent', async () => {
    const cookie = await signIn({ api_key: world.key });
    expect((await post('/v1/agents', { cookie, key: 'wrong', body })).status).toBe(401);
  });
});

describe('the pages', () => {
  const html = { accept: 'text/html,application/xhtml+xml' };

  it('gives the Console on its own routes, under a strict policy', async () => {
    for (const path of ['/', '/sessions', '/sessions/sesn_1']) {
      const response = await world.fetch(path, { headers: html });
      expect(await response.text()).toContain('<title>Console</title>');
      expect(response.headers.get('content-type')).toContain('text/html');
      const policy = response.headers.get('content-security-policy');
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain('unsafe');
      expect(response.headers.get('request-id')).toMatch(/^req_/);
    }
  });

  it('never gives a page in place of a file or an API answer', async () => {
    for (const path of ['/assets/gone.js', '/v1/gone', '/api/gone']) {
      const response = await world.fetch(path, { headers: html });
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/json');
    }
    expect(await (await world.fetch('/console.css')).text()).toContain('margin');
  });

  it('serves the API reference and the document it shows', async () => {
    expect(await (await world.fetch('/docs', { headers: html })).text()).toContain('API reference');
    const document: { openapi: string; paths: object } = await (await world.fetch('/openapi.json')).json();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toContain('/v1/sessions/{session_id}/events/stream');
    const text = await world.fetch('/llms.txt');
    expect(text.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await text.text()).toContain('POST /v1/sessions/{session_id}/events');
  });
});
