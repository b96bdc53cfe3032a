// The clock of one dream: an alarm for the next step. What that is, the dream's keeper decides; here is only when it is asked.
//
// C1. A dream that was announced is looked for until it can no longer be written: whoever writes it may die at any moment.
// C2. A ring that fails rings again: the host would give up after a few tries.
import { DurableObject } from 'cloudflare:workers';
import { keepDream } from '@capstan/api/dreams/dream-keeper';
import type { DreamAddress, DreamClocks } from '@capstan/schema/dreams';
import { consoleLogger } from '@capstan/shared/logger';
import type { Env } from './env.ts';
import { keeperPorts } from './ports.ts';

const FIRST_LOOK_MS = 2_000;
const AGAIN_MS = 15_000;
/** No announced dream is written later. */
const EXPECTED_MS = 300_000;

export class DreamClock extends DurableObject<Env> implements DreamClocks {
  async expectDream(address: DreamAddress): Promise<void> {
    const { storage } = this.ctx;
    await storage.put({ address, expectedUntil: Date.now() + EXPECTED_MS });
    await this.#ringBy(Date.now() + FIRST_LOOK_MS);
    await storage.sync();
  }

  async lookAtDream(address: DreamAddress): Promise<void> {
    await this.ctx.storage.put({ address });
    await this.#ringBy(Date.now());
  }

  override async alarm(): Promise<void> {
    const address = await this.ctx.storage.get<DreamAddress>('address');
    if (address === undefined) return;
    try {
      const next = await keepDream(keeperPorts(this.env, address.dreamId), address);
      if (next !== null) {
        await this.ctx.storage.delete('expectedUntil');
        await this.#ringBy(next);
      } else await this.#rest();
    } catch (error) {
      const logger = consoleLogger.child({ worker: 'jobs', tenant_id: address.tenantId });
      logger.error('dream.clock_failed', { dream_id: address.dreamId }, error);
      await this.#ringBy(Date.now() + AGAIN_MS);
    }
  }

  /** Nothing is left of a dream that owes nothing. */
  async #rest(): Promise<void> {
    const { storage } = this.ctx;
    const expected = (await storage.get<number>('expectedUntil')) ?? 0;
    if (Date.now() < expected) await this.#ringBy(Date.now() + AGAIN_MS);
    else if ((await storage.getAlarm()) === null) await storage.deleteAll();
  }

  async #ringBy(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }
}
