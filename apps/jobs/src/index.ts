// The Worker for work nobody waits for: the clocks of deployments and dreams, images of environments, webhooks, hourly sweeps and the queue. It has no public
// address, bindings only.

import { WorkerEntrypoint } from 'cloudflare:workers';
import { sweepLeftImages } from '@capstan/api/environments/left-images';
import type { WebhookDispatch } from '@capstan/api/webhooks/dispatch';
import { sweepBlobs } from '@capstan/db/blob-debts';
import { openD1 } from '@capstan/db/d1';
import { dueImages } from '@capstan/db/environment-images';
import { LoginCodeStore } from '@capstan/db/login-codes';
import { sweepMemories } from '@capstan/db/memory-sweep';
import { openBlobs } from '@capstan/db/open-blobs';
import { nextPools } from '@capstan/db/warm-pools';
import { type EndpointAddress, hasEnabledEndpoints, sweepWebhooks } from '@capstan/db/webhook-sharing';
import type { DeploymentAddress, DeploymentClocks } from '@capstan/schema/deployments';
import type { DreamAddress, DreamClocks } from '@capstan/schema/dreams';
import type { EnvironmentKey, ImageKeepers } from '@capstan/schema/environment-images';
import type { BackendHealth, HealthSource } from '@capstan/schema/health';
import { consoleLogger } from '@capstan/shared/logger';
import type { Env } from './env.ts';
import { jobsHealth } from './health.ts';

export { CourierDO } from './courier-do.ts';
export { DeploymentClock } from './deployment-clock.ts';
export { DreamClock } from './dream-clock.ts';
export { ImageKeeper } from './image-keeper.ts';
export { OutboxDO } from './outbox-do.ts';

const logger = consoleLogger.child({ worker: 'jobs' });

/** One for the installation. */
const OUTBOX = 'outbox';
/** Whose keepers were not told; the others ring by themselves. */
const IMAGES_AT_ONCE = 100;
/** In turn: their own alarms keep them, unless one was lost. */
const POOLS_AT_ONCE = 100;

export class JobsService
  extends WorkerEntrypoint<Env>
  implements HealthSource, DeploymentClocks, DreamClocks, ImageKeepers, WebhookDispatch
{
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

  expectDream(address: DreamAddress): Promise<void> {
    return this.#dream(address).expectDream(address);
  }

  lookAtDream(address: DreamAddress): Promise<void> {
    return this.#dream(address).lookAtDream(address);
  }

  #dream({ tenantId, dreamId }: DreamAddress) {
    return this.env.DREAMS.getByName(`${tenantId}/${dreamId}`);
  }

  keepImage(environment: EnvironmentKey): Promise<void> {
    return ringKeeper(this.env, environment);
  }

  watchOutbox(): Promise<void> {
    return this.env.OUTBOX.getByName(OUTBOX).watch();
  }

  ringCourier(address: EndpointAddress): Promise<void> {
    return this.env.COURIERS.getByName(`${address.tenantId}/${address.endpointId}`).ring(address);
  }
}

function ringKeeper({ IMAGES }: Env, environment: EnvironmentKey): Promise<void> {
  return IMAGES.getByName(`${environment.tenantId}/${environment.environmentId}`).ring(environment);
}

/** One that cannot be reached is rung by a later sweep. */
async function ringPools({ DB, AGENT }: Env, now: number): Promise<number> {
  const pools = await nextPools(openD1(DB), now, POOLS_AT_ONCE);
  const rung = await Promise.allSettled(pools.map((environment) => AGENT.ringPool(environment)));
  const away = rung.filter(({ status }) => status === 'rejected').length;
  if (away > 0) logger.warn('pool.away', { pools: away });
  return pools.length - away;
}

export default {
  async scheduled(controller, env) {
    const db = openD1(env.DB);
    const codes = await new LoginCodeStore(db).sweep(controller.scheduledTime);
    const blobs = await sweepBlobs({ db, blobs: openBlobs(env) }, controller.scheduledTime);
    const versions = await sweepMemories(db, controller.scheduledTime);
    const webhooks = await sweepWebhooks(db, controller.scheduledTime);
    const images = await dueImages(db, controller.scheduledTime, IMAGES_AT_ONCE);
    await Promise.all(images.map((environment) => ringKeeper(env, environment)));
    const left = await sweepLeftImages({ db, builder: env.AGENT, logger }, controller.scheduledTime);
    const pools = await ringPools(env, controller.scheduledTime);
    // It watches by itself, as long as its alarm is there.
    if (await hasEnabledEndpoints(db)) await env.OUTBOX.getByName(OUTBOX).watch();
    const swept = {
      login_codes: codes,
      blobs,
      memory_versions: versions,
      webhooks,
      images: images.length,
      left_images: left,
      pools,
    };
    logger.info('sweep.ended', { outcome: 'ok', ...swept });
  },

  /** Nothing produces messages yet: one that arrives is of another release, and waits for it in the queue's retries. */
  async queue(batch) {
    logger.warn('queue.unknown', { messages: batch.messages.length });
    batch.retryAll();
  },
} satisfies ExportedHandler<Env>;
