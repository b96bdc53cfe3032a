// The log of a session in the storage of a Durable Object, its blobs in R2.
import { describeEventLog } from '@capstan/session/event-log.contract';
import type { EventLog } from '@capstan/session/ports';
import { createTestHarness } from 'wrangler';
import { sessionBlobs } from './blobs.ts';
import type { Question, Reply } from './testing/log-stage.ts';

type Ask = <T>(method: Question['method'], args?: unknown[]) => Promise<T>;

describeEventLog('a Durable Object', async () => {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';
  const harness = createTestHarness({
    root: `${import.meta.dirname}/../../..`,
    workers: [
      {
        config: {
          name: 'stage',
          main: './apps/agent/src/testing/log-stage.ts',
          compatibility_date: '2026-10-01',
          durable_objects: { bindings: [{ name: 'STAGES', class_name: 'LogStage' }] },
          migrations: [{ tag: 'v1', new_sqlite_classes: ['LogStage'] }],
          r2_buckets: [{ binding: 'BLOBS', bucket_name: 'blobs' }],
        },
      },
    ],
  });
  await harness.listen();
  const worker = harness.getWorker<{ BLOBS: R2Bucket }>('stage');
  const { BLOBS } = await worker.getEnv();
  let sessions = 0;
  return {
    create: async () => {
      const sessionId = `sesn_${++sessions}`;
      const ask: Ask = async (method, args = []) => {
        const body = JSON.stringify({ session: sessionId, method, args });
        const response = await worker.fetch('http://stage/', { method: 'POST', body });
        const reply = (await response.json()) as Reply;
        if ('refusal' in reply) throw Object.assign(new Error(reply.refusal.message), reply.refusal);
        // The stage answers as the log does: whoever asks knows what that is.
        return reply.value as never;
      };
      return {
        log: logOver(ask),
        blobs: sessionBlobs(BLOBS, { tenantId: 'tnt_test', sessionId }),
        reopen: async () => {
          await ask('abort').catch(() => undefined);
          return logOver(ask);
        },
      };
    },
    close: () => harness.close(),
  };
});

function logOver(ask: Ask): EventLog {
  return {
    lines: (after, limit, view) => ask('lines', view === undefined ? [after, limit] : [after, limit, view]),
    append: (expected, entries, extra = {}) => ask('append', [expected, entries, extra]),
    answered: (...args) => ask('answered', args),
    page: (...args) => ask('page', args),
    snapshot: () => ask('snapshot'),
    draft: (...args) => ask('draft', args),
    drafts: () => ask('drafts'),
    position: (...args) => ask('position', args),
  };
}
