// Whether background work can be done: the database and the queue are both asked.
import { openD1 } from '@capstan/db/d1';
import { tenantCount } from '@capstan/db/tenants';
import type { BackendHealth } from '@capstan/schema/health';
import type { Env } from './env.ts';

export async function jobsHealth({ DB, QUEUE }: Env): Promise<Record<string, BackendHealth>> {
  const [database, queue] = await Promise.all([
    ask('pnpm wrangler d1 migrations apply DB -c apps/main/wrangler.jsonc', async () => {
      await tenantCount(openD1(DB));
    }),
    ask('pnpm wrangler queues create capstan-jobs', async () => {
      const { backlogCount } = await QUEUE.metrics();
      return `${backlogCount} waiting`;
    }),
  ]);
  return { 'jobs.database': database, 'jobs.queue': queue };
}

async function ask(fix: string, question: () => Promise<string | undefined>): Promise<BackendHealth> {
  try {
    const detail = await question();
    return { status: 'ok', ...(detail !== undefined && { detail }) };
  } catch (cause) {
    return { status: 'failed', problem: cause instanceof Error ? cause.message : 'no answer', fix };
  }
}
