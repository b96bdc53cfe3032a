// The log as people and models read it: whole, with what was spilled in its place. What folds the log reads it raw.
import type { SessionEvent } from '@capstan/schema/events';
import type { Page } from '@capstan/schema/page';
import type { Entry, LoggedEntry } from './entry.ts';
import type { Line } from './line.ts';
import type { EventLog, View } from './ports.ts';
import type { EventQuery } from './service.ts';
import { type Shelf, unspill, unspillData, unspillWhole } from './spill.ts';

/** What a send was answered with, as it was answered. */
export interface Answered {
  fingerprint: string;
  events: SessionEvent[];
}

/** Everything rejects with `unavailable` when the blobs cannot be read right now; one that is gone is a sentence instead. */
export interface LogReader {
  /** As EventLog's, the events whole; the notes are as they are stored. */
  lines(after: number, limit: number, view?: View): Promise<Line[]>;
  /** Rows after `after`, whole, in order. */
  entries(after: number, view?: View): AsyncGenerator<LoggedEntry>;
  /** The event of that id, whole, as it was processed. Null: see EventLog.position; or something of it is gone. */
  entry(eventId: string): Promise<Entry | null>;
  page(query: EventQuery & { thread?: string }): Promise<Page<SessionEvent>>;
  answered(name: string, now: number): Promise<Answered | null>;
}

const BATCH = 1_000;

export function readable(log: EventLog, ports: Shelf): LogReader {
  const shelf = { ...ports, blobs: shared(ports.blobs) };
  const whole = async (line: Line): Promise<Line> => {
    const data = await unspillData(line.data, line.note, shelf);
    return data === line.data ? line : { ...line, data };
  };
  const eventsOf = async (lines: readonly Line[]): Promise<SessionEvent[]> => {
    const events: SessionEvent[] = [];
    for (const line of lines) events.push(JSON.parse((await whole(line)).data));
    return events;
  };
  return {
    async lines(after, limit, view) {
      const lines: Line[] = [];
      for (const line of await log.lines(after, limit, view)) lines.push(await whole(line));
      return lines;
    },
    async *entries(after, view) {
      for await (const { seq, ...entry } of readEntries(log, after, view))
        yield { seq, ...(await unspill(entry, shelf)) };
    },
    async entry(eventId) {
      const seq = await log.position(eventId);
      if (seq === null) return null;
      const [line] = await log.lines(seq - 1, 1);
      return line ? unspillWhole(toEntry(line), shelf) : null;
    },
    async page(query) {
      const { data, next_page } = await log.page(query);
      return { data: await eventsOf(data), next_page };
    },
    async answered(name, now) {
      const stored = await log.answered(name, now);
      return stored && { fingerprint: stored.fingerprint, events: await eventsOf(stored.lines) };
    },
  };
}

/** Whoever asks for a blob that is being read gets the same text: five hundred streams hold one. */
function shared(blobs: Shelf['blobs']): Shelf['blobs'] {
  const reading = new Map<string, Promise<string | null>>();
  return {
    get: (key) => {
      const text = reading.get(key) ?? blobs.get(key).finally(() => reading.delete(key));
      reading.set(key, text);
      return text;
    },
  };
}

/** The log after a position as it is stored, oldest first. */
export async function* readEntries(
  log: Pick<EventLog, 'lines'>,
  after: number,
  view?: View,
): AsyncGenerator<LoggedEntry> {
  let position = after;
  for (;;) {
    const lines = await log.lines(position, BATCH, view);
    for (const line of lines) yield toEntry(line);
    const last = lines.at(-1);
    if (last === undefined) return;
    position = last.seq;
  }
}

export function toEntry({ seq, data, note }: Line): LoggedEntry {
  const event: SessionEvent = JSON.parse(data);
  return note === null ? { seq, event } : { seq, event, note: JSON.parse(note) };
}
