// What one row may hold. D1 refuses rows over 2 MB; a session keeps a copy of its agent and its environment.
import { ApiError } from '@capstan/schema/error';

export const MOST_BYTES = 900_000;

/** Refuses (`too_large`) a value whose JSON would not fit; `what` names it to the client; `besides` are the bytes of what is kept with it. */
export function requireFit(value: unknown, what: string, besides = 0): void {
  const size = sizeOf(value) + besides;
  if (size <= MOST_BYTES) return;
  throw new ApiError('too_large', `${what}: ${size} bytes as JSON; at most ${MOST_BYTES} can be kept`);
}

/** As JSON, in bytes. */
export function sizeOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).byteLength;
}
