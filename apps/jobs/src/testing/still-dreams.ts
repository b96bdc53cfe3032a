// The jobs Worker with clocks of dreams that never ring.
import { DurableObject } from 'cloudflare:workers';
import type { DreamClocks } from '@capstan/schema/dreams';

export { CourierDO, DeploymentClock, default, JobsService, OutboxDO } from '../index.ts';

export class DreamClock extends DurableObject implements DreamClocks {
  async expectDream(): Promise<void> {}

  async lookAtDream(): Promise<void> {}
}
