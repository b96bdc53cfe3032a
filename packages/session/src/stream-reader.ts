// One open stream: a cursor in the log, and the few ephemeral frames that wait between its events.
import type { Preview, Previewable } from '@capstan/schema/events/previews';
import { eventFrame, OPENING } from './frames.ts';
import type { EventLog } from './ports.ts';

/** The newest events as frames, shared by all readers. `head` is the last position of the log. */
export interface Tail {
  head: number;
  frames: { seq: number; bytes: Uint8Array }[];
  /** Of all frames together. */
  sizeBytes: number;
}

interface ReaderOptions {
  log: EventLog;
  tail: Tail;
  /** The last position the client has. */
  cursor: number;
  deltas: ReadonlySet<Previewable>;
  closed(): void;
}

const BATCH = 200;
const MAX_WAITING = 512;
const MISSED_HEARTBEATS = 20;

export class StreamReader {
  deltas: ReadonlySet<Previewable>;
  #log: EventLog;
  #tail: Tail;
  #cursor: number;
  /** Frames to send once the cursor has reached `at`. */
  #waiting: { at: number; bytes: Uint8Array }[];
  /** Messages whose `event_start` this reader gets. */
  #started = new Set<string>();
  #wake: (() => void) | null = null;
  /** Something came while this reader was looking elsewhere. */
  #stirred = false;
  #missed = 0;
  #open = true;
  #finishing = false;
  #closed: () => void;

  constructor(options: ReaderOptions) {
    this.#log = options.log;
    this.#tail = options.tail;
    this.#cursor = options.cursor;
    // Sent at once, so that whoever is in between passes the answer's head on.
    this.#waiting = [{ at: options.cursor, bytes: OPENING }];
    this.deltas = options.deltas;
    this.#closed = options.closed;
  }

  toStream(): ReadableStream<Uint8Array> {
    return new ReadableStream({
      type: 'bytes',
      pull: async (controller) => {
        const chunk = await this.#next().catch((error: unknown) => {
          this.close();
          throw error;
        });
        if (chunk !== null) return controller.enqueue(chunk);
        controller.close();
        // A pending read of a byte stream ends only when it is answered.
        controller.byobRequest?.respond(0);
      },
      cancel: () => this.close(),
    });
  }

  #offer(bytes: Uint8Array): void {
    this.#waiting.push({ at: this.#tail.head, bytes });
    this.wake();
  }

  preview(preview: Preview, bytes: Uint8Array): void {
    const starts = preview.type === 'event_start';
    if (starts ? !this.deltas.has(preview.event.type) : !this.#started.has(preview.event_id)) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting = [];
      this.#started.clear();
      return;
    }
    if (starts) this.#started.add(preview.event.id);
    this.#offer(bytes);
  }

  heartbeat(bytes: Uint8Array): void {
    this.#missed += 1;
    if (this.#missed > MISSED_HEARTBEATS) this.close();
    else if (this.#waiting.length === 0 && this.#cursor === this.#tail.head) this.#offer(bytes);
  }

  wake(): void {
    this.#stirred = true;
    this.#wake?.();
    this.#wake = null;
  }

  /** Delivers what there is, then closes. */
  finish(): void {
    this.#finishing = true;
    this.wake();
  }

  close(): void {
    this.#open = false;
    this.#closed();
    this.wake();
  }

  async #next(): Promise<Uint8Array | null> {
    this.#missed = 0;
    while (this.#open) {
      this.#stirred = false;
      const chunk = await this.#take();
      if (chunk !== null) return chunk;
      if (this.#stirred) continue;
      if (this.#finishing) this.close();
      if (!this.#open) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return null;
  }

  /** Everything that is due now, as one chunk, or null when the reader has caught up. */
  async #take(): Promise<Uint8Array | null> {
    const parts: Uint8Array[] = [];
    while (this.#waiting[0] && this.#waiting[0].at <= this.#cursor) {
      const frame = this.#waiting.shift();
      if (frame) parts.push(frame.bytes);
    }
    if (parts.length > 0) return joined(parts);
    const until = this.#waiting[0]?.at ?? this.#tail.head;
    return this.#cursor >= until ? null : this.#events(until);
  }

  async #events(until: number): Promise<Uint8Array> {
    const oldest = this.#tail.frames[0]?.seq ?? Number.POSITIVE_INFINITY;
    const frames =
      oldest <= this.#cursor + 1
        ? this.#tail.frames.filter((frame) => frame.seq > this.#cursor && frame.seq <= until)
        : (await this.#log.lines(this.#cursor, Math.min(BATCH, until - this.#cursor))).map((line) => ({
            seq: line.seq,
            bytes: eventFrame(line),
          }));
    this.#cursor = frames.at(-1)?.seq ?? until;
    return joined(frames.map((frame) => frame.bytes));
  }
}

/** Always a copy: a byte stream takes the buffer it is given away, and frames are shared. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
