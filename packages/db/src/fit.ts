// What one row may hold. D1 refuses rows over 2 MB; a session keeps a copy of its agent and its environment.
import { ApiError } from '@capstan/schema/error';

export const MOST_BYTES = 900_000;

/** What is kept in the same row. */
export interface Besides {
  what: string;
  sizeBytes: number;
}

/** Refuses (`too_large`) a value whose JSON would not fit; `what` names it to the client. */
export function requireFit(value: unknown, what: string, besides?: Besides): void {
  const size = sizeOf(value);
  const room = Math.max(0, MOST_BYTES - (besides?.sizeBytes ?? 0));
  if (size <= room) return;
  const beside = besides ? ` beside ${besides.what}, which have ${besides.sizeBytes} of ${MOST_BYTES}` : '';
  throw new ApiError('too_large', `${what}: ${size} bytes as JSON; at most ${room} can be kept${beside}`);
}

/** As JSON, in bytes. */
export function sizeOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).byteLength;
}
