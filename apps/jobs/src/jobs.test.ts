import { openD1 } from '@capstan/db/d1';
import { LoginCodeStore } from '@capstan/db/login-codes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestHarness } from 'wrangler';

process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';
const harness = createTestHarness({
  root: `${import.meta.dirname}/../../..`,
  workers: [
    { configPath: 'apps/jobs/wrangler.jsonc' },
    {
      config: {
        name: 'capstan-agent',
        main: './apps/jobs/src/testing/agent-worker.ts',
        compatibility_date: '2026-10-01',
      },
    },
  ],
});
const worker = () => harness.getWorker<{ DB: D1Database; QUEUE: Queue }>('capstan-jobs');

beforeAll(async () => {
  await harness.listen();
  await worker().applyD1Migrations('DB');
});
afterAll(() => harness.close());

describe('jobs', () => {
  it('sweeps sign-in codes that expired, and only those', async () => {
    const { DB } = await worker().getEnv();
    const codes = new LoginCodeStore(openD1(DB));
    const owner = { tenantId: 'tnt_default', apiKeyId: 'key_1', apiKeyName: 'CI', apiKeyLastFour: 'wxyz' };
    await codes.put({ hash: 'old', expiresAt: Date.now() - 1000, ...owner });
    await codes.put({ hash: 'good', expiresAt: Date.now() + 600_000, ...owner });
    await worker().scheduled({ cron: '17 * * * *', scheduledTime: new Date() });
    expect(await codes.take('old', 0)).toBeNull();
    expect(await codes.take('good', Date.now())).not.toBeNull();
  });

  it('keeps a message it does not know and says so', async () => {
    const { QUEUE } = await worker().getEnv();
    await QUEUE.send({ kind: 'of a later release' });
    const lines = () => harness.getLogs().map((line) => JSON.stringify(line));
    await expect.poll(lines).toContainEqual(expect.stringContaining('queue.unknown'));
  });
});
