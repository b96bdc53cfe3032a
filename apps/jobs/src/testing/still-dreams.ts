// The jobs Worker with clocks of dreams that never ring, in place of its own.
import { DurableObject } from 'cloudflare:workers';
import type { DreamClocks } from '@capstan/schema/dreams';

export * from '../index.ts';
export { default } from '../index.ts';

export class DreamClock extends DurableObject implements DreamClocks {
  async expectDream(): Promise<void> {}

  async lookAtDream(): Promise<void> {}
}
