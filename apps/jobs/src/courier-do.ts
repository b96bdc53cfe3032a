// One endpoint's courier: has the room for it, the alarm, and what it is built from.
import { DurableObject } from 'cloudflare:workers';
import { type CourierPorts, deliver } from '@capstan/api/webhooks/courier';
import { post } from '@capstan/api/webhooks/post';
import { openD1 } from '@capstan/db/d1';
import { WebhookRound } from '@capstan/db/webhook-round';
import type { EndpointAddress } from '@capstan/db/webhook-sharing';
import { consoleLogger } from '@capstan/shared/logger';
import { reachFrom } from '@capstan/shared/reach-config';
import { createSealer, TENANT_SECRETS } from '@capstan/shared/seal';
import type { Courier, Env } from './env.ts';
import { markCourier } from './failpoints.ts';
import { failpointsOf } from './ports.ts';

const AGAIN_MS = 10_000;

export class CourierDO extends DurableObject<Env> implements Courier {
  async ring(address: EndpointAddress): Promise<void> {
    await this.ctx.storage.put('address', address);
    await this.#arm(Date.now());
  }

  override async alarm(): Promise<void> {
    const address = await this.ctx.storage.get<EndpointAddress>('address');
    if (address === undefined) return;
    try {
      const next = await deliver(this.#ports(address));
      if (next !== null) await this.#arm(next);
      // An alarm of someone who rang meanwhile is kept with it.
      else if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.deleteAll();
    } catch (error) {
      const ids = { tenant_id: address.tenantId, webhook_endpoint_id: address.endpointId };
      consoleLogger.error('webhook.round_failed', ids, error);
      await this.#arm(Date.now() + AGAIN_MS);
    }
  }

  /** An alarm that comes before stays. */
  async #arm(at: number): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at);
  }

  #ports({ tenantId, endpointId }: EndpointAddress): CourierPorts {
    const { DB, PLATFORM_ROOT_SECRET: root } = this.env;
    const { reach } = reachFrom(this.env);
    const ports = {
      tenantId,
      endpointId,
      round: new WebhookRound({ db: openD1(DB), tenantId }, endpointId),
      sealer: createSealer(root ? [root] : [], TENANT_SECRETS),
      post: (url: string, sending: Parameters<typeof post>[1]) => post(url, sending, reach),
      logger: consoleLogger.child({ tenant_id: tenantId, webhook_endpoint_id: endpointId }),
      now: () => Date.now(),
      random: () => Math.random(),
    };
    return markCourier(ports, failpointsOf(this.env, endpointId));
  }
}
