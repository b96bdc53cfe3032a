// Fan-out of one session's events to its streams: the session's own, and one for each child thread.
//
// H1. A stream delivers exactly the log of its view from its cursor (R5): see feed.ts.
// H2. A preview is told to the readers of its own thread that asked for it, those that come in its midst too: one start,
//     then all text so far.
// H3. No stream is cut silently: it ends after the event that ends the session or thread, or with where to resume.
import { ApiError } from '@capstan/schema/error';
import type { EventType } from '@capstan/schema/events';
import type { LoggedEntry } from './entry.ts';
import { Feed, type Ownership, type Tail, viewOf } from './feed.ts';
import { Frame } from './frames.ts';
import type { LogReader } from './log-reader.ts';
import type { Pulse } from './ports.ts';
import { Reader } from './reader.ts';
import type { StreamQuery } from './service.ts';
import { type Socket, SocketReader } from './socket-reader.ts';
import { StreamReader } from './stream-reader.ts';
import { type Announcement, Underway } from './underway.ts';

const TAIL_EVENTS = 256;
const TAIL_CHARS = 2_000_000;
/** How far back the event that ended a session is looked for: little can follow it. */
const LAST_ROWS = 200;
/** How many readers are told in one turn of the host: between two waves it hears what the model says next. */
const WAVE = 16;

const ENDS: ReadonlySet<string> = new Set<EventType>(['session.status_terminated', 'session.deleted']);
const THREAD_ENDS: EventType = 'session.thread_status_terminated';

/** `thread` is a child's; absent: the session's own stream, with the primary thread. */
export interface Opening extends StreamQuery {
  /** The session, or that thread, is terminated: its stream tells how it ended, and ends. */
  ended?: boolean;
}

/** Who may have a preview to tell. */
export interface PreviewSource {
  thread: string | null;
  /** A reader has come that wants its previews. */
  wanted(): void;
}

export class Hub {
  #readers = new Set<Reader>();
  #streams = new Map<Reader, StreamReader>();
  #underway = new Map<string, Underway>();
  #sources = new Set<PreviewSource>();
  /** Who is to look at what is new, in the order they are told. */
  #due = new Set<Reader>();
  #rolling = false;
  #tail: Tail;
  #log: Pick<LogReader, 'lines'>;
  #pulse: Pulse;

  /** `head` is the last position of the log. The pulse beats while there are streams; sockets do without. */
  constructor(log: Pick<LogReader, 'lines'>, pulse: Pulse, head: number) {
    this.#log = log;
    this.#pulse = pulse;
    this.#tail = { head, frames: [], chars: 0 };
  }

  /** Server-sent events. Refuses a position beyond the end of the log with `invalid_request`. */
  open(query: Opening): ReadableStream<Uint8Array> {
    const reader = this.#read(query);
    const stream = new StreamReader(reader);
    if (this.#streams.size === 0) this.#pulse.start(() => this.#beat());
    this.#streams.set(reader, stream);
    return stream.toStream();
  }

  /** The same over a socket. It has to be run. */
  attach(socket: Socket, query: Opening): SocketReader {
    return new SocketReader(this.#read(query), socket);
  }

  #read({ after, thread, deltas, ended = false }: Opening): Reader {
    const { head } = this.#tail;
    if (after !== undefined && after > head) {
      throw new ApiError(
        'invalid_request',
        `after (or last-event-id): ${after} is beyond the end of this session's log, ${head}; take the id of an event of this session, or leave it out`,
      );
    }
    const feed = new Feed({
      log: this.#log,
      tail: this.#tail,
      underway: this.#underway,
      cursor: after ?? head,
      thread,
      deltas: new Set(deltas),
    });
    const seek = ended && after === undefined ? () => this.#beforeEnd(thread) : undefined;
    const reader = new Reader({ feed, seek, left: (left) => this.#leave(left) });
    this.#readers.add(reader);
    if (ended) reader.finish();
    for (const source of this.#sources) if (this.#asksFor(reader, source)) source.wanted();
    return reader;
  }

  #asksFor({ feed }: Reader, { thread }: PreviewSource): boolean {
    return feed.deltas.size > 0 && feed.thread === (thread ?? undefined);
  }

  async #beforeEnd(thread: string | undefined): Promise<number> {
    const { head } = this.#tail;
    const rows = await this.#log.lines(Math.max(0, head - LAST_ROWS), LAST_ROWS, viewOf(thread));
    const last = rows.findLast(
      ({ type }) => ENDS.has(type) || (thread !== undefined && type === THREAD_ENDS),
    );
    return last === undefined ? head : last.seq - 1;
  }

  /** Called after the append: the entries are in the log. */
  publish(entries: readonly LoggedEntry[]): void {
    const tail = this.#tail;
    for (const { seq, event, note } of entries) {
      tail.head = seq;
      this.#underway.delete(event.id);
      if (this.#readers.size === 0) continue;
      const owner: Ownership = note ?? {};
      if (note?.spill) this.#forget();
      else {
        const frame = Frame.event({ seq, type: event.type, data: JSON.stringify(event) });
        tail.frames.push({ seq, owner, frame });
        tail.chars += frame.chars;
      }
      for (const reader of this.#readers) if (ends(event.type, owner, reader.feed.thread)) reader.finish();
    }
    this.#trim();
    this.#tell(() => true);
  }

  /** A row whose body stands elsewhere is read from the log, which brings it back: the tail begins behind it. */
  #forget(): void {
    this.#tail.frames = [];
    this.#tail.chars = 0;
  }

  #trim(): void {
    const tail = this.#tail;
    const fits = () => tail.frames.length <= TAIL_EVENTS && tail.chars <= TAIL_CHARS;
    while (tail.frames.length > 0 && (this.#readers.size === 0 || !fits())) {
      tail.chars -= tail.frames.shift()?.frame.chars ?? 0;
    }
  }

  /** The source is told when a reader comes that may want its previews; the result ends that. */
  watch(source: PreviewSource): () => void {
    this.#sources.add(source);
    return () => this.#sources.delete(source);
  }

  wantsPreviews(of: Omit<Announcement, 'id'>): boolean {
    for (const { feed } of this.#readers) if (feed.wants(of)) return true;
    return false;
  }

  /** A message has begun under the id its event will have. */
  begin(announcement: Announcement): void {
    const message = new Underway(announcement, this.#tail.head);
    this.#underway.set(message.id, message);
    this.#stir(message);
  }

  /** More text of it: durable by now. */
  grow(id: string, text: string): void {
    const message = this.#underway.get(id);
    message?.grow(text);
    if (message) this.#stir(message);
  }

  /** It will have no event: nothing more is told of it. */
  abandon(id: string): void {
    this.#underway.delete(id);
  }

  #stir(message: Underway): void {
    this.#tell((reader) => reader.feed.wants(message));
  }

  #tell(whom: (reader: Reader) => boolean): void {
    for (const reader of this.#readers) if (whom(reader)) this.#due.add(reader);
    if (!this.#rolling) this.#wave();
  }

  #wave(): void {
    let left = WAVE;
    for (const reader of this.#due) {
      if (left === 0) break;
      left -= 1;
      this.#due.delete(reader);
      reader.wake();
    }
    this.#rolling = this.#due.size > 0;
    if (this.#rolling) this.#pulse.later(() => this.#wave());
  }

  #beat(): void {
    for (const stream of this.#streams.values()) stream.heartbeat();
  }

  #leave(reader: Reader): void {
    this.#readers.delete(reader);
    this.#due.delete(reader);
    if (this.#streams.delete(reader) && this.#streams.size === 0) this.#pulse.stop();
  }

  /** Ends every stream once it has delivered all there is. */
  finish(): void {
    for (const reader of this.#readers) reader.finish();
  }

  /** Ends every stream: clients are told where to resume. */
  close(): void {
    for (const reader of this.#readers) reader.end('away');
  }
}

/** Whether a stream has nothing to tell after the event. The session's own goes on when a child thread ends. */
function ends(type: string, owner: Ownership, thread: string | undefined): boolean {
  return ENDS.has(type) || (type === THREAD_ENDS && thread !== undefined && owner.thread === thread);
}
