// Watches the outbox, one for the installation: shares out what is in it and rings the couriers. The outbox is a table: this
// object remembers nothing that could be lost with it.
import { DurableObject } from 'cloudflare:workers';
import { openD1 } from '@capstan/db/d1';
import {
  type EndpointAddress,
  hasEnabledEndpoints,
  lateEndpoints,
  shareOut,
} from '@capstan/db/webhook-sharing';
import { consoleLogger } from '@capstan/shared/logger';
import type { Env } from './env.ts';

/** How often it looks: soon while something happens, and for a while after. */
const LIVELY_MS = 500;
const QUIET_MS = 3_000;
const LIVELY_FOR_MS = 60_000;
/** Whoever asks for the watch is about to make an endpoint. */
const EXPECTED_MS = 60_000;
const AGAIN_MS = 5_000;
/** A courier is at work by then, or has died. */
const LATE_MS = 15_000;

export class OutboxDO extends DurableObject<Env> {
  #livelyUntil = 0;
  #lateLookAt = 0;

  /** Durable when it resolves. */
  async watch(): Promise<void> {
    await this.ctx.storage.put('expected_until', Date.now() + EXPECTED_MS);
    this.#livelyUntil = Date.now() + LIVELY_FOR_MS;
    await this.ctx.storage.setAlarm(Date.now());
  }

  override async alarm(): Promise<void> {
    try {
      const next = await this.#look();
      // Whoever asked for a watch meanwhile has armed it.
      if (next !== null && (await this.ctx.storage.getAlarm()) === null)
        await this.ctx.storage.setAlarm(next);
    } catch (error) {
      consoleLogger.error('outbox.look_failed', {}, error);
      await this.ctx.storage.setAlarm(Date.now() + AGAIN_MS);
    }
  }

  /** When to look again, epoch ms; null: nobody is to be told of anything. */
  async #look(): Promise<number | null> {
    const db = openD1(this.env.DB);
    const { events, addresses } = await shareOut(db, Date.now());
    await this.#ring(addresses);
    const now = Date.now();
    if (now >= this.#lateLookAt) {
      this.#lateLookAt = now + LATE_MS;
      await this.#ring(await lateEndpoints(db, now - LATE_MS));
      if (!(await this.#isNeeded())) return null;
    }
    if (events > 0) {
      this.#livelyUntil = now + LIVELY_FOR_MS;
      return now;
    }
    return now + (now < this.#livelyUntil ? LIVELY_MS : QUIET_MS);
  }

  async #isNeeded(): Promise<boolean> {
    const expected = (await this.ctx.storage.get<number>('expected_until')) ?? 0;
    return Date.now() < expected || (await hasEnabledEndpoints(openD1(this.env.DB)));
  }

  async #ring(addresses: readonly EndpointAddress[]): Promise<void> {
    const { COURIERS } = this.env;
    const ring = (address: EndpointAddress) =>
      COURIERS.getByName(`${address.tenantId}/${address.endpointId}`).ring(address);
    await Promise.all(addresses.map(ring));
  }
}
