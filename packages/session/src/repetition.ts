// Sends that come twice.
//
// X1. A send's receipt is in the transaction of what it appended: a repetition, after any crash, appends nothing and
//     gets the answer of the first.
// X2. While a send with a key is under way its twin is refused, and may come again. A retry without a key waits for its
//     turn in the mailbox instead: its client has no more tries than it was given.
import type { SessionEvent } from '@capstan/schema/events';
import { type Claim, KEPT_MS, requireSameBody, twinUnderWay } from '@capstan/schema/idempotency';
import type { Acceptance } from './accept.ts';
import type { LogReader } from './log-reader.ts';
import type { Receipt } from './ports.ts';

export class Twins {
  #underWay = new Set<string>();

  /** Runs `work`, or refuses (`conflict`, worth a retry) when a send with the same key has not been answered yet. */
  async alone<T>(claim: Claim | undefined, work: () => Promise<T>): Promise<T> {
    if (claim?.by !== 'key') return work();
    if (this.#underWay.has(claim.name)) throw twinUnderWay();
    this.#underWay.add(claim.name);
    try {
      return await work();
    } finally {
      this.#underWay.delete(claim.name);
    }
  }
}

/** What the claimed send was answered before. Null: it is not known to have been made. */
export async function recall(
  log: LogReader,
  claim: Claim | undefined,
  now: number,
): Promise<SessionEvent[] | null> {
  if (!claim?.mayRepeat) return null;
  const earlier = await log.answered(claim.name, now);
  if (earlier === null) return null;
  requireSameBody(claim, earlier.fingerprint);
  return earlier.events;
}

/** What is kept with the accepted entries; `now` is epoch ms. */
export function toReceipt(claim: Claim, { entries, echoes }: Acceptance, now: number): Receipt {
  const { name, by, fingerprint } = claim;
  const places = echoes.map((echo) => entries.indexOf(echo));
  return { name, fingerprint, echoes: places, now, expiresAt: now + KEPT_MS[by] };
}
