// The keeper of one environment's image: an alarm at the instant at which a build is owed. What that is stands in the
// environment's row; here is only when it is looked at. One build at a time, because one alarm is.
import { DurableObject } from 'cloudflare:workers';
import { keepImage } from '@capstan/api/environments/image-keeper';
import { openD1 } from '@capstan/db/d1';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import { consoleLogger } from '@capstan/shared/logger';
import type { Env } from './env.ts';

/** When nobody can build: after the first, and then twice as long each time, up to the last. */
const AGAIN_MS = 5_000;
const LONGEST_MS = 60 * 60_000;

export class ImageKeeper extends DurableObject<Env> {
  /** Durable when it resolves. */
  async ring(environment: EnvironmentKey): Promise<void> {
    await this.ctx.storage.put({ environment, failures: 0 });
    await this.#ringBy(Date.now());
  }

  override async alarm(): Promise<void> {
    const { storage } = this.ctx;
    const environment = await storage.get<EnvironmentKey>('environment');
    if (environment === undefined) return;
    const { tenantId: tenant_id, environmentId: environment_id } = environment;
    const logger = consoleLogger.child({ worker: 'jobs', tenant_id, environment_id });
    try {
      const { DB, AGENT: builder } = this.env;
      const ports = { db: openD1(DB), builder, clock: Date, logger };
      const next = await keepImage(ports, environment);
      await storage.put({ failures: 0 });
      if (next !== null) await this.#ringBy(next);
      // Whoever rang meanwhile has armed it.
      else if ((await storage.getAlarm()) === null) await storage.deleteAll();
    } catch (error) {
      const failures = (await storage.get<number>('failures')) ?? 0;
      logger.warn('image.not_built', { failures, message: String(error) });
      await storage.put({ failures: failures + 1 });
      await this.#ringBy(Date.now() + Math.min(LONGEST_MS, AGAIN_MS * 2 ** Math.min(failures, 20)));
    }
  }

  /** An alarm that comes before stays. */
  async #ringBy(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }
}
