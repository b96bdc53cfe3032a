// Fields too large for a row: they stand in blobs, and the row has an empty value in their place.
//
// B1. The blob is durable before the row that names it is appended. A crash between the two leaves a blob nobody names,
//     which goes with the session.
// B2. A key names its text (it carries the text's hash): whoever writes it again, late or twice, changes nothing.
// B3. A blob that is gone leaves a sentence in its place and a line in the log of the server, never a session that cannot
//     be read.
import { ApiError } from '@capstan/schema/error';
import { MAX_EVENT_BYTES, type SessionEvent } from '@capstan/schema/events';
import type { Logger } from '@capstan/shared/logger';
import { sizeOfContent } from './content-size.ts';
import type { Entry, Note, Spilled } from './entry.ts';
import { overflows, ROW_BYTES } from './log-row.ts';
import type { Blobs } from './ports.ts';

/** Room for naming what was spilled, and for the instant an event gets when it is taken. */
const RESERVED_BYTES = 2_048;

const encoder = new TextEncoder();

const LOST = '[content no longer available]';

type Field = Spilled['field'];

/** What may be spilled: whose field it is, what the row has in its place, and what is read when its blob is gone. */
const FIELDS: Record<Field, { of: 'event' | 'note'; empty: unknown; lost: unknown }> = {
  content: { of: 'event', empty: [], lost: [{ type: 'text', text: LOST }] },
  input: { of: 'event', empty: {}, lost: { unavailable: LOST } },
  rubric: { of: 'event', empty: { type: 'text', content: '' }, lost: { type: 'text', content: LOST } },
  agent: { of: 'event', empty: null, lost: undefined },
  opaque: { of: 'note', empty: '', lost: undefined },
  summary: { of: 'note', empty: '', lost: LOST },
  carried: { of: 'note', empty: { rules: [], outcome: null }, lost: { rules: [LOST], outcome: null } },
};

export interface Shelf {
  blobs: Pick<Blobs, 'get'>;
  logger: Logger;
  /** Told of each field whose blob is gone. */
  lost?(field: Field): void;
}

/**
 * The entries as they are appended: in the same order, no row over ROW_BYTES. What was spilled before (an event taken
 * again) is named again and not written again. Refuses (`too_large`) an event over MAX_EVENT_BYTES before it writes
 * anything; `unavailable` when the blobs cannot be written.
 */
export async function spill(entries: readonly Entry[], blobs: Blobs): Promise<Entry[]> {
  for (const entry of entries) refuseLarger(entry);
  const kept: Entry[] = [];
  for (const entry of entries) kept.push(fits(entry) ? entry : await lightened(entry, blobs));
  return kept;
}

function refuseLarger({ event, note }: Entry): void {
  if (!overflows(JSON.stringify({ event, note }), MAX_EVENT_BYTES)) return;
  throw new ApiError(
    'too_large',
    `An event of type ${event.type} is over ${MAX_EVENT_BYTES} bytes (8 MB) as JSON; split it into several, or upload what it carries as a file and refer to that.`,
  );
}

function fits({ event, note }: Entry): boolean {
  return !overflows(JSON.stringify({ event, note }), ROW_BYTES - RESERVED_BYTES);
}

async function lightened(entry: Entry, blobs: Blobs): Promise<Entry> {
  let light = entry;
  for (const { field, json } of spillable(entry)) {
    if (fits(light)) break;
    light = without(light, await stored({ eventId: entry.event.id, field, json }, blobs));
  }
  if (fits(light)) return light;
  throw new ApiError(
    'too_large',
    `An event of type ${entry.event.type} may have ${ROW_BYTES - RESERVED_BYTES} bytes beside its content; shorten its other fields.`,
  );
}

interface Piece {
  field: Field;
  json: string;
}

/** The largest first. */
function spillable({ event, note }: Entry): Piece[] {
  const pieces: Piece[] = [];
  const add = (owner: object, of: 'event' | 'note') => {
    for (const [name, value] of Object.entries(owner)) {
      if (value !== undefined && isField(name) && FIELDS[name].of === of)
        pieces.push({ field: name, json: JSON.stringify(value) });
    }
  };
  add(event, 'event');
  add(note ?? {}, 'note');
  return pieces.sort((a, b) => b.json.length - a.json.length);
}

function isField(name: string): name is Field {
  return Object.hasOwn(FIELDS, name);
}

async function stored({ eventId, field, json }: Piece & { eventId: string }, blobs: Blobs): Promise<Spilled> {
  const bytes = encoder.encode(json);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const hex = [...hash.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const key = `${eventId}-${field}-${hex}`;
  try {
    await blobs.put(key, json);
  } catch (cause) {
    const message =
      'What is too large for the session log cannot be stored right now. Try again in a moment.';
    throw new ApiError('unavailable', message, { retryAfterSeconds: 1, cause });
  }
  return { key, field, bytes: bytes.length, ...(field === 'content' ? { chars: charsOf(json) } : {}) };
}

function charsOf(json: string): number {
  const content: Parameters<typeof sizeOfContent>[0] = JSON.parse(json);
  return sizeOfContent(content);
}

function without({ event, note }: Entry, spilled: Spilled): Entry {
  const { field } = spilled;
  const { of, empty } = FIELDS[field];
  const next: Note = { ...note, spill: [...(note?.spill ?? []), spilled] };
  return of === 'event'
    ? { event: filled(event, new Map([[field, JSON.stringify(empty)]])), note: next }
    : { event, note: filled(next, new Map([[field, JSON.stringify(empty)]])) };
}

function filled<T extends object>(owner: T, texts: ReadonlyMap<string, string | undefined>): T {
  return JSON.parse(withTexts(owner, texts));
}

/** The object as JSON, its members in their order, with these texts for some of their values; undefined: without it. */
function withTexts(owner: object, texts: ReadonlyMap<string, string | undefined>): string {
  const members: string[] = [];
  for (const [name, value] of Object.entries(owner)) {
    const json = texts.has(name) ? texts.get(name) : JSON.stringify(value);
    if (json !== undefined) members.push(`${JSON.stringify(name)}:${json}`);
  }
  return `{${members.join(',')}}`;
}

/** How much of a row stands in blobs; `note` is the row's, JSON. */
export function spilledBytes(note: string | null): number {
  return spilledOf(note).reduce((bytes, spilled) => bytes + spilled.bytes, 0);
}

export function spilledOf(note: string | null): readonly Spilled[] {
  // Parsed only when there is something: most notes are short, many are not.
  if (note?.includes('"spill":') !== true) return [];
  const parsed: Note = JSON.parse(note);
  return parsed.spill ?? [];
}

/** The entry as it was before it was spilled. Rejects (`unavailable`) when the blobs cannot be read right now. */
export async function unspill({ event, note }: Entry, shelf: Shelf): Promise<Entry> {
  if (note?.spill === undefined) return note === undefined ? { event } : { event, note };
  const { spill: spilled, ...rest } = note;
  const whole = filled(event, await textsOf(spilled, 'event', shelf));
  const left = filled<Note>(rest, await textsOf(spilled, 'note', shelf));
  return Object.keys(left).length === 0 ? { event: whole } : { event: whole, note: left };
}

/** As unspill; null when something of the event is gone. */
export async function unspillWhole(entry: Entry, shelf: Shelf): Promise<Entry | null> {
  let whole = true;
  const lost = (field: Field) => {
    if (FIELDS[field].of === 'event') whole = false;
  };
  const read = await unspill(entry, { ...shelf, lost });
  return whole ? read : null;
}

/** The event of a row whole, as JSON: its members in the order they were appended in. */
export async function unspillData(data: string, note: string | null, shelf: Shelf): Promise<string> {
  const texts = await textsOf(spilledOf(note), 'event', shelf);
  if (texts.size === 0) return data;
  const event: SessionEvent = JSON.parse(data);
  return withTexts(event, texts);
}

async function textsOf(
  spilled: readonly Spilled[],
  of: 'event' | 'note',
  shelf: Shelf,
): Promise<ReadonlyMap<string, string | undefined>> {
  const texts = new Map<string, string | undefined>();
  for (const piece of spilled) {
    if (FIELDS[piece.field].of === of) texts.set(piece.field, await textOf(piece, shelf));
  }
  return texts;
}

async function textOf({ key, field }: Spilled, { blobs, logger, lost }: Shelf): Promise<string | undefined> {
  const text = await blobs.get(key).catch((cause: unknown) => {
    const message = 'The stored content of an event cannot be read right now. Try again in a moment.';
    throw new ApiError('unavailable', message, { retryAfterSeconds: 1, cause });
  });
  if (text !== null) return text;
  logger.warn('session.blob_missing', { key });
  lost?.(field);
  return JSON.stringify(FIELDS[field].lost);
}
