// What one reader is still to be told: a cursor in the log, and how far it was told of each message under way.
//
// F1. Every event of its view after the cursor, once and in order (R5): from the tail, or from the log when the tail does
//     not reach back that far. A slow reader costs a cursor, not a buffer.
// F2. A message is told after the events it began after. Its deltas, joined, are a prefix of its text; once its event is
//     in the log there are no more of them.
import type { Previewable } from '@capstan/schema/events/previews';
import { Frame } from './frames.ts';
import type { LogReader } from './log-reader.ts';
import type { View } from './ports.ts';
import type { Announcement, Underway } from './underway.ts';

const BATCH = 200;

/** Whose row it is: `note` of an entry, as far as streams need it. */
export interface Ownership {
  /** The owning child thread; absent for the primary thread and the session itself. */
  thread?: string;
  /** A child's row that the session's own stream shows too. */
  shared?: true;
}

/** The newest events, shared by all readers: without gaps up to `head`, the last position of the log. */
export interface Tail {
  head: number;
  frames: { seq: number; owner: Ownership; frame: Frame }[];
  /** Of all frames together. */
  chars: number;
}

export interface FeedOptions {
  log: Pick<LogReader, 'lines'>;
  tail: Tail;
  underway: ReadonlyMap<string, Underway>;
  /** The last position the client has. */
  cursor: number;
  /** The child thread it shows; absent: the session's own stream. */
  thread: string | undefined;
  deltas: ReadonlySet<Previewable>;
}

export class Feed {
  cursor: number;
  thread: string | undefined;
  deltas: ReadonlySet<Previewable>;
  #log: FeedOptions['log'];
  #tail: Tail;
  #underway: ReadonlyMap<string, Underway>;
  /** How many pieces of a message were told. It is forgotten with the message. */
  #told = new WeakMap<Underway, number>();

  constructor(options: FeedOptions) {
    this.cursor = options.cursor;
    this.thread = options.thread;
    this.deltas = options.deltas;
    this.#log = options.log;
    this.#tail = options.tail;
    this.#underway = options.underway;
  }

  wants({ type, thread }: Omit<Announcement, 'id'>): boolean {
    return this.deltas.has(type) && (thread ?? undefined) === this.thread;
  }

  /** Nothing of the log is left to look at. */
  get caughtUp(): boolean {
    return this.cursor >= this.#tail.head;
  }

  /** What is due now; nothing when it has caught up, or when what it looked at was for others. */
  async take(): Promise<Frame[]> {
    const previews = this.#previews();
    const until = this.#horizon();
    if (this.cursor >= until) return previews;
    const events = this.#recent(until) ?? (await this.#logged(until));
    return previews.length === 0 ? events : [...previews, ...events];
  }

  #previews(): Frame[] {
    const frames: Frame[] = [];
    for (const message of this.#underway.values()) {
      if (message.at > this.cursor || !this.wants(message)) continue;
      const told = this.#told.get(message);
      if (told === undefined) frames.push(message.start);
      if ((told ?? 0) < message.pieces) frames.push(message.since(told ?? 0));
      this.#told.set(message, message.pieces);
    }
    return frames;
  }

  /** How far events may be told before a message that began in between. */
  #horizon(): number {
    let until = this.#tail.head;
    for (const message of this.#underway.values())
      if (message.at > this.cursor && message.at < until && this.wants(message)) until = message.at;
    return until;
  }

  /** Null when the tail does not reach back to the cursor. */
  #recent(until: number): Frame[] | null {
    const { frames } = this.#tail;
    const oldest = frames[0]?.seq ?? Number.POSITIVE_INFINITY;
    if (oldest > this.cursor + 1) return null;
    const due = frames.slice(this.cursor + 1 - oldest, until + 1 - oldest);
    this.cursor = until;
    return due.filter(({ owner }) => shows(owner, this.thread)).map(({ frame }) => frame);
  }

  async #logged(until: number): Promise<Frame[]> {
    const limit = Math.min(BATCH, until - this.cursor);
    const rows = await this.#log.lines(this.cursor, limit, viewOf(this.thread));
    const due = rows.filter((row) => row.seq <= until);
    // Without rows the view has none there, or the log was erased: the tail still holds how the session ended.
    const passed = Math.min(until, (this.#tail.frames[0]?.seq ?? until + 1) - 1);
    const last = rows.at(-1);
    if (last === undefined) this.cursor = passed;
    else this.cursor = due.length < rows.length ? until : last.seq;
    return due.map((row) => Frame.event(row));
  }
}

export function viewOf(thread: string | undefined): View {
  return thread === undefined ? 'session' : { thread };
}

export function shows(owner: Ownership, thread: string | undefined): boolean {
  if (thread !== undefined) return owner.thread === thread;
  return owner.thread === undefined || owner.shared === true;
}
