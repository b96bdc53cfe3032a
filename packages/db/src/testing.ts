// A real D1 with every migration applied, in a workerd of its own.
import type { D1Database } from '@cloudflare/workers-types';
import { createTestHarness } from 'wrangler';
import { openD1 } from './d1.ts';
import type { Database } from './database.ts';

export interface TestDatabase {
  db: Database;
  binding: D1Database;
  close(): Promise<void>;
}

const ROOT = `${import.meta.dirname}/../../..`;

export async function openTestDatabase(): Promise<TestDatabase> {
  // The runtime would ask Cloudflare for a sample of request properties.
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';
  const harness = createTestHarness({
    root: ROOT,
    workers: [
      {
        config: {
          name: 'database',
          main: './packages/db/src/testing-worker.ts',
          compatibility_date: '2026-10-01',
          d1_databases: [
            {
              binding: 'DB',
              database_name: 'capstan',
              database_id: 'test',
              migrations_dir: './migrations/d1',
            },
          ],
        },
      },
    ],
  });
  await harness.listen();
  const worker = harness.getWorker<{ DB: D1Database }>();
  await worker.applyD1Migrations('DB');
  const { DB: binding } = await worker.getEnv();
  return { db: openD1(binding), binding, close: () => harness.close() };
}
