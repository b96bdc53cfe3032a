// The opaque cursor of an event list: a log position and the direction it is read in.
import { ApiError } from '@capstan/schema/error';

export interface EventCursor {
  seq: number;
  order: 'asc' | 'desc';
}

export function formatCursor(cursor: EventCursor): string {
  return `${cursor.order === 'asc' ? 'a' : 'd'}${cursor.seq.toString(36)}`;
}

const TAG_CHARS = 8;

/** The cursor as a client gets it: it says which session's list it is of. */
export function toPublic(cursor: string, sessionId: string): string {
  return `${cursor}.${sessionId.slice(-TAG_CHARS)}`;
}

/** Refuses a cursor of another session's list. */
export function fromPublic(text: string, sessionId: string): string {
  const [cursor = '', tag, ...more] = text.split('.');
  if (tag === sessionId.slice(-TAG_CHARS) && more.length === 0) return cursor;
  const whose = tag === undefined ? 'not a cursor of this list' : "a cursor of another session's list";
  throw new ApiError('invalid_request', `page: ${whose}; pass a next_page as it was given`);
}

/** Refuses a cursor this list did not give, or one of the other order. */
export function parseCursor(text: string, order: EventCursor['order']): EventCursor {
  const seq = /^[ad][0-9a-z]{1,11}$/.test(text) ? Number.parseInt(text.slice(1), 36) : Number.NaN;
  if (!Number.isSafeInteger(seq)) {
    throw new ApiError(
      'invalid_request',
      'page: not a cursor of this list; pass a next_page as it was given',
    );
  }
  if (text[0] !== order[0]) {
    throw new ApiError(
      'invalid_request',
      `page: this cursor was made for the other order; keep order=${order === 'asc' ? 'desc' : 'asc'}`,
    );
  }
  return { seq, order };
}
