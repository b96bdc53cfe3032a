import { startDevModel } from '@capstan/dev-model/dev-model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFrom } from './config.ts';
import { modelHealth } from './model-health.ts';
import { configFor, startServer } from './testing.ts';

let dev: Awaited<ReturnType<typeof startDevModel>>;
beforeAll(async () => {
  dev = await startDevModel();
});
afterAll(() => dev.stop());

describe('modelHealth', () => {
  it('is ok when the development model answers', async () => {
    const config = configFrom({ ENVIRONMENT: 'development', DEV_MODEL_URL: dev.url });
    expect(await modelHealth(config, 0)).toMatchObject({
      status: 'ok',
      detail: expect.stringMatching(/development model/),
    });
  });

  it('says that nothing is configured, and what to set', async () => {
    expect(await modelHealth(configFrom({}), 0)).toMatchObject({
      status: 'failed',
      fix: expect.stringMatching(/_API_KEY/),
    });
  });

  it('names the variable of a refused key', async () => {
    const server = await startServer((response) => response.writeHead(401).end('{}'));
    const health = await modelHealth(configFor('messages', server.url), 0);
    await server.stop();
    expect(health).toMatchObject({ status: 'failed', fix: expect.stringContaining('ANTHROPIC_API_KEY') });
    expect(JSON.stringify(health)).not.toContain('secret');
    expect(server.requests[0]?.headers['x-api-key']).toBe('sk-ant-secret-1234567890');
  });

  it('says that nobody listens, and asks again only after half a minute', async () => {
    const server = await startServer((response) => response.end('{}'));
    const config = configFor('chat', server.url);
    expect((await modelHealth(config, 1_000)).status).toBe('ok');
    await server.stop();
    expect((await modelHealth(config, 30_999)).status).toBe('ok');
    expect(await modelHealth(config, 31_000)).toMatchObject({
      status: 'failed',
      fix: expect.stringContaining('OPENAI_BASE_URL'),
    });
  });
});
