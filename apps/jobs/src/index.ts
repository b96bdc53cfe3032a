// The Worker for work nobody waits for: hourly sweeps and the queue. It has no public address, bindings only.

import { WorkerEntrypoint } from 'cloudflare:workers';
import { openD1 } from '@capstan/db/d1';
import { LoginCodeStore } from '@capstan/db/login-codes';
import type { BackendHealth, HealthSource } from '@capstan/schema/health';
import { consoleLogger } from '@capstan/shared/logger';
import type { Env } from './env.ts';
import { jobsHealth } from './health.ts';

const logger = consoleLogger.child({ worker: 'jobs' });

export class JobsService extends WorkerEntrypoint<Env> implements HealthSource {
  health(): Promise<Record<string, BackendHealth>> {
    return jobsHealth(this.env);
  }
}

export default {
  async scheduled(controller, env) {
    const swept = await new LoginCodeStore(openD1(env.DB)).sweep(controller.scheduledTime);
    logger.info('sweep.ended', { outcome: 'ok', login_codes: swept });
  },

  /** Nothing produces messages yet: one that arrives is of another release, and waits for it in the queue's retries. */
  async queue(batch) {
    logger.warn('queue.unknown', { messages: batch.messages.length });
    batch.retryAll();
  },
} satisfies ExportedHandler<Env>;
