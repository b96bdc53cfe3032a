// How often one API key may create and read: a bucket for each key and kind that fills steadily.
// 1. A burst may take a whole minute's worth; after that requests pass at the steady rate.
// 2. A request that is refused takes nothing, and is told when the next one will pass.
// 3. Buckets live in this process: where several serve one installation, each counts for itself.
import { ApiError } from '@capstan/schema/error';
import type { RouteSpec } from '@capstan/schema/route';

/** Requests per minute and key. */
export interface RateLimits {
  creates: number;
  reads: number;
}

/** What the Managed Agents API documents. */
export const DEFAULT_RATE_LIMITS: RateLimits = { creates: 300, reads: 1_200 };

export type Limited = keyof RateLimits;

const MINUTE_MS = 60_000;
const MOST_BUCKETS = 10_000;
/** Who waited as long as it was told is not refused for the last bit of a fraction. */
const ROUNDING = 1e-6;
const WORDS: Record<Limited, string> = { creates: 'create', reads: 'read' };

interface Bucket {
  /** Requests that may pass at once. */
  left: number;
  /** Epoch ms. */
  at: number;
}

/** What makes rows, or asks other servers, each time that it is asked for. */
const MAKES = /^(create|upload|fork|run|ping|replay|validate|regenerate)[A-Z]|^updateModelCard$/;

/** Which limit a route counts against; null: none. Sending to a session is not creating: its queue has bounds of its own. */
export function limitOf({ method, operationId, access }: RouteSpec): Limited | null {
  if (access !== 'key') return null;
  if (method === 'get') return 'reads';
  return MAKES.test(operationId) ? 'creates' : null;
}

export class RateLimiter {
  #limits: RateLimits;
  #clock: { now(): number };
  #buckets = new Map<string, Bucket>();

  constructor(limits: RateLimits, clock: { now(): number }) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Refuses (`rate_limited`, with when to come back) what is more than the key may do. */
  admit(keyId: string, kind: Limited): void {
    const perMinute = this.#limits[kind];
    const now = this.#clock.now();
    const name = `${kind} ${keyId}`;
    const left = filled(this.#buckets.get(name), { perMinute, now });
    // Taken out and put in again: the first in the map is the one that was used longest ago.
    this.#buckets.delete(name);
    const passes = left > 1 - ROUNDING;
    this.#buckets.set(name, { left: passes ? left - 1 : left, at: now });
    this.#forget();
    if (passes) return;
    const retryAfterSeconds = Math.max(1, Math.ceil(((1 - left) * MINUTE_MS) / perMinute / 1_000));
    throw new ApiError(
      'rate_limited',
      `This API key may ${WORDS[kind]} ${perMinute} times a minute: try again in ${retryAfterSeconds} s`,
      { retryAfterSeconds },
    );
  }

  /** A bucket that is forgotten is a full one, so the one that filled for longest goes. */
  #forget(): void {
    if (this.#buckets.size <= MOST_BUCKETS) return;
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}

function filled(bucket: Bucket | undefined, { perMinute, now }: { perMinute: number; now: number }): number {
  if (bucket === undefined) return perMinute;
  const since = Math.max(0, now - bucket.at);
  return Math.min(perMinute, bucket.left + (since * perMinute) / MINUTE_MS);
}
