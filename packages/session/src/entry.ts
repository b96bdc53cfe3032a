// One row of the session log: the event everyone sees, and a note only the engine reads.
import type { EventOf, EventType, SessionEvent } from '@capstan/schema/events';
import type { Opaque } from './harness.ts';

/** A field that stands in a blob; the row has an empty value in its place. */
export interface Spilled {
  key: string;
  field: 'content' | 'input' | 'rubric' | 'opaque' | 'summary';
  /** Of the field as JSON, UTF-8. */
  bytes: number;
}

export interface Note {
  /** The child thread whose row it is. Absent: the primary thread's, or the session's own. */
  thread?: string;
  /** A child thread's row that the session shows too. */
  shared?: true;
  /** What of this row stands in blobs. */
  spill?: readonly Spilled[];
  /** What the harness wants back when the context is rebuilt. */
  opaque?: Opaque;
  /** On `session.status_rescheduled`: when to try again, epoch ms, and how many tries came before without progress. */
  retry?: { at: number; attempt: number };
  /** On `session.status_terminated`: the session was archived. */
  archived?: true;
}

export interface Entry {
  event: SessionEvent;
  note?: Note;
}

export interface LoggedEntry extends Entry {
  /** Position in the log, from 1, without gaps. */
  seq: number;
}

/** Where time and ids come from: the machine itself has neither (M1). */
export interface Stamp {
  now: number;
  newId(): string;
}

type Body<T extends EventType> = Omit<EventOf<T>, 'id' | 'type' | 'processed_at'>;

/** A server-made event, processed as it is made. `id` is given when a preview has announced it. */
export function made<T extends EventType>(stamp: Stamp, type: T, body: Body<T> & { id?: string }): Entry {
  const { id = stamp.newId(), ...rest } = body;
  // The generic object is exactly EventOf<T>; TypeScript cannot follow a spread through Omit.
  return { event: { id, type, processed_at: toTimestamp(stamp.now), ...rest } as unknown as EventOf<T> };
}

export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}
