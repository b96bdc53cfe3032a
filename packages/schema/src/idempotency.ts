// Exactly once: what names a request, so that a repetition of it is known for one and answered instead of done again.
import { z } from 'zod';
import { ApiError } from './error.ts';

export const IDEMPOTENCY_HEADER = 'idempotency-key';
/** On an answer that was given before. */
export const REPLAYED_HEADER = 'idempotent-replayed';

export const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, 'expected 1 to 255 printable ASCII characters')
  .meta({
    description:
      'Names this request for 24 hours: repeated with the same body it is answered as before and does nothing more.',
    example: '4f9c1f0e-2c53-4d53-9a57-6f0f6f0c1a52',
  });

const HOUR_MS = 3_600_000;
/** How long an answer is kept, by what names its request. */
export const KEPT_MS = { key: 24 * HOUR_MS, body: 60_000 } as const;

export interface Claim {
  /** A digest of tenant, principal and route with the client's key, or with the body when the client sent none. */
  name: string;
  by: 'key' | 'body';
  /** A digest of the body. */
  fingerprint: string;
  /** The request may have been made before: always with a key; without, when its client says that this is a retry. */
  mayRepeat: boolean;
}

/** Refuses (`idempotency_mismatch`) a key that comes with another body than the one it was first used with. */
export function requireSameBody(claim: Claim, fingerprint: string): void {
  if (claim.fingerprint === fingerprint) return;
  throw new ApiError(
    'idempotency_mismatch',
    `${IDEMPOTENCY_HEADER}: was used with another body in the last 24 hours; use a new key for a new request`,
  );
}

/** For a request whose twin has not been answered yet. */
export function twinUnderWay(): ApiError {
  return new ApiError(
    'conflict',
    `${IDEMPOTENCY_HEADER}: the first request with this key is still under way; send it again in a moment`,
    { retryAfterSeconds: 1 },
  );
}
