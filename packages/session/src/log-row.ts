// An entry as the columns of its row.
import { ApiError } from '@capstan/schema/error';
import type { Entry } from './entry.ts';

/** What a row holds, its event and its note as JSON: what is larger is spilled before. */
export const ROW_BYTES = 256 * 1024;
/** What a queued event grows by when it is taken: `null` becomes an instant. */
const TAKEN_BYTES = JSON.stringify(new Date(0)).length - 'null'.length;

export interface Row {
  id: string;
  type: string;
  thread: string | null;
  shared: 0 | 1;
  processedAt: number | null;
  fromClient: boolean;
  data: string;
  note: string | null;
}

/** Refuses (`too_large`) what a row does not hold. A queued event leaves room for what taking it adds. */
export function toRow({ event, note }: Entry): Row {
  const data = JSON.stringify(event);
  const stored = note === undefined ? null : JSON.stringify(note);
  const room = event.processed_at === null ? TAKEN_BYTES : 0;
  if (overflows(data + (stored ?? ''), ROW_BYTES - room)) {
    throw new ApiError(
      'too_large',
      `An event of type ${event.type} is over ${ROW_BYTES} bytes; split it into several.`,
    );
  }
  return {
    id: event.id,
    type: event.type,
    thread: note?.thread ?? null,
    shared: note?.shared ? 1 : 0,
    processedAt: event.processed_at === null ? null : Date.parse(event.processed_at),
    fromClient: event.type.startsWith('user.') || event.type === 'system.message',
    data,
    note: stored,
  };
}

const encoder = new TextEncoder();

/** A character takes one to three bytes: most texts need no counting. */
export function overflows(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && encoder.encode(text).length > maxBytes;
}
