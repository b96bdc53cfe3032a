// The Worker for work nobody waits for: the clocks of deployments, hourly sweeps and the queue. It has no public address, bindings only.

import { WorkerEntrypoint } from 'cloudflare:workers';
import { sweepBlobs } from '@capstan/db/blob-debts';
import { openD1 } from '@capstan/db/d1';
import { LoginCodeStore } from '@capstan/db/login-codes';
import { sweepMemories } from '@capstan/db/memory-sweep';
import { openR2 } from '@capstan/db/r2';
import type { DeploymentAddress, DeploymentClocks } from '@capstan/schema/deployments';
import type { BackendHealth, HealthSource } from '@capstan/schema/health';
import { consoleLogger } from '@capstan/shared/logger';
import type { Env } from './env.ts';
import { jobsHealth } from './health.ts';

const logger = consoleLogger.child({ worker: 'jobs' });

export { DeploymentClock } from './deployment-clock.ts';

export class JobsService extends WorkerEntrypoint<Env> implements HealthSource, DeploymentClocks {
  health(): Promise<Record<string, BackendHealth>> {
    return jobsHealth(this.env);
  }

  expect(address: DeploymentAddress): Promise<void> {
    return this.#clock(address).expect(address);
  }

  look(address: DeploymentAddress): Promise<void> {
    return this.#clock(address).look(address);
  }

  #clock({ tenantId, deploymentId }: DeploymentAddress) {
    return this.env.CLOCKS.getByName(`${tenantId}/${deploymentId}`);
  }
}

export default {
  async scheduled(controller, env) {
    const db = openD1(env.DB);
    const codes = await new LoginCodeStore(db).sweep(controller.scheduledTime);
    const blobs = await sweepBlobs({ db, blobs: openR2(env.BLOBS) }, controller.scheduledTime);
    const versions = await sweepMemories(db, controller.scheduledTime);
    logger.info('sweep.ended', { outcome: 'ok', login_codes: codes, blobs, memory_versions: versions });
  },

  /** Nothing produces messages yet: one that arrives is of another release, and waits for it in the queue's retries. */
  async queue(batch) {
    logger.warn('queue.unknown', { messages: batch.messages.length });
    batch.retryAll();
  },
} satisfies ExportedHandler<Env>;
