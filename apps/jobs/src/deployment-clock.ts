// The clock of one deployment: an alarm at the earliest instant at which something is owed. What that is, the schedule's
// keeper decides; here is only when it is asked.
//
// C1. One alarm: the earliest deadline. One that was set while the clock rang stands if it is earlier.
// C2. A write that was announced is looked for by itself, several times: whoever makes it may die at any moment.
// C3. A ring that fails rings again: the host would give up after a few tries.
// C4. Clocks of one process that ring at the same instant take turns: it has others to answer meanwhile.
import { DurableObject } from 'cloudflare:workers';
import { type Attempts, keepSchedule } from '@capstan/api/deployments/schedule-keeper';
import type { DeploymentAddress, DeploymentClocks } from '@capstan/schema/deployments';
import { consoleLogger } from '@capstan/shared/logger';
import { Turnstile } from '@capstan/shared/turnstile';
import type { Env } from './env.ts';
import { keeperPorts } from './ports.ts';

/** After so many milliseconds, one after the other; no announced write is later than the last. */
const LOOKS_MS = [2_000, 30_000, 300_000] as const;
const AGAIN_MS = 15_000;
const turns = new Turnstile({ places: 4, longestMs: 60_000 });

export class DeploymentClock extends DurableObject<Env> implements DeploymentClocks {
  async expect(address: DeploymentAddress): Promise<void> {
    const now = Date.now();
    const { storage } = this.ctx;
    await storage.put({ address, looks: LOOKS_MS.map((ms) => now + ms) });
    await this.#ringBy(now + LOOKS_MS[0]);
    await storage.sync();
  }

  async look(address: DeploymentAddress): Promise<void> {
    await this.ctx.storage.put({ address });
    await this.#ringBy(Date.now());
  }

  override async alarm(): Promise<void> {
    const address = await this.ctx.storage.get<DeploymentAddress>('address');
    if (address === undefined) return;
    const logger = consoleLogger.child({ worker: 'jobs', tenant_id: address.tenantId });
    try {
      await turns.pass(() => this.#ring(address));
    } catch (error) {
      logger.error('deployment.clock_failed', { deployment_id: address.deploymentId }, error);
      await this.#ringBy(Date.now() + AGAIN_MS);
    }
  }

  async #ring(address: DeploymentAddress): Promise<void> {
    const { storage } = this.ctx;
    const tried = (await storage.get<Attempts>('attempts')) ?? null;
    const ports = keeperPorts(this.env, address.deploymentId);
    const { nextAt, attempts } = await keepSchedule(ports, address, tried);
    if (attempts === null) await storage.delete('attempts');
    else await storage.put({ attempts });
    const now = Date.now();
    const looks = ((await storage.get<number[]>('looks')) ?? []).filter((at) => at > now);
    const [nextLook = null] = looks;
    for (const at of [nextAt, nextLook]) if (at !== null) await this.#ringBy(at);
    if (looks.length > 0) await storage.put({ looks });
    else await storage.delete('looks');
    // Nothing is left of a deployment that has no schedule.
    if ((await storage.getAlarm()) === null) await storage.deleteAll();
  }

  async #ringBy(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }
}
