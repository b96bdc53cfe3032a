// What a fork may begin with: the newest snapshot of the sandbox, if nothing in it was done after the event of the fork.
import type { LentSnapshot } from './harness.ts';
import type { Ports } from './ports.ts';

export async function lendSnapshot(
  { harness, log }: Pick<Ports, 'harness' | 'log'>,
  eventId: string,
): Promise<LentSnapshot | null> {
  const newest = harness.snapshot();
  const at = await log.position(eventId);
  if (newest === null || at === null) return null;
  if (newest.upTo !== null && ((await log.position(newest.upTo)) ?? at + 1) > at) return null;
  const lent = await harness.lend();
  // Another one may have been taken meanwhile.
  return lent?.upTo === newest.upTo ? lent : null;
}
