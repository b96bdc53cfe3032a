import { afterEach, describe, expect, it, vi } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
// Each test starts Workers of its own.
vi.setConfig({ testTimeout: 120_000 });
afterEach(() => world.close());

const ROOT_SECRET = 'a root secret for tests, 32 characters and more';

describe('health', () => {
  it('asks every backend and counts what it finds', async () => {
    world = await openWorld();
    const response = await world.fetch('/health');
    expect(await response.json()).toEqual({
      status: 'ok',
      version: '0.1.0',
      backends: {
        database: { status: 'ok', detail: '2 tenants' },
        blobs: { status: 'ok' },
        models: { status: 'ok', detail: '0 open streams' },
        'jobs.database': { status: 'ok' },
        'jobs.queue': { status: 'ok', detail: '0 waiting' },
      },
    });
    expect(response.status).toBe(200);
  });

  it('fails with 503 and says how to mend a database without its tables', async () => {
    world = await openWorld();
    await world.db.run('ALTER TABLE tenants RENAME TO elsewhere');
    const response = await world.fetch('/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: 'failed',
      backends: {
        database: {
          status: 'failed',
          problem: expect.stringContaining('tenants'),
          fix: expect.stringContaining('d1 migrations apply'),
        },
        'jobs.database': { status: 'failed' },
        blobs: { status: 'ok' },
      },
    });
  });

  it('names a missing secret and the command that sets it, and serves nothing else', async () => {
    world = await openWorld({ secrets: {} });
    const response = await world.fetch('/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: 'failed',
      backends: {
        PLATFORM_ROOT_SECRET: {
          status: 'failed',
          fix: expect.stringContaining('wrangler secret put PLATFORM_ROOT_SECRET'),
        },
      },
    });
    const refused = await world.fetch('/v1/agents', { headers: { 'x-api-key': world.strangerKey } });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ type: 'error', error: { type: 'api_error' } });
  });

  it('never shows a secret that is unusable', async () => {
    const secrets = { PLATFORM_ROOT_SECRET: ROOT_SECRET, BOOTSTRAP_API_KEY_SHA256: 'the-key-itself' };
    world = await openWorld({ secrets });
    const text = await (await world.fetch('/health')).text();
    expect(text).toContain('BOOTSTRAP_API_KEY_SHA256');
    expect(text).not.toContain('the-key-itself');
    expect(text).not.toContain(ROOT_SECRET);
  });
});
