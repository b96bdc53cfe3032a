// Fan-out of one session's events to its streams.
//
// H1. A stream delivers exactly the log from its cursor, each event once and in order (R5): what the tail does not hold
//     any more is read from the log. A slow reader costs a cursor, not a buffer.
// H2. A preview reaches a reader between the events it was made between, or not at all: a reader that lags sheds
//     previews, and gets no delta of a message whose start it did not get.
// H3. A reader that takes nothing for MISSED_HEARTBEATS beats is closed.
import type { Preview, Previewable } from '@capstan/schema/events/previews';
import type { LoggedEntry } from './entry.ts';
import { eventFrame, HEARTBEAT, previewFrame } from './frames.ts';
import type { EventLog, Pulse } from './ports.ts';
import type { StreamQuery } from './service.ts';
import { StreamReader, type Tail } from './stream-reader.ts';

const TAIL_EVENTS = 256;
const TAIL_BYTES = 4_000_000;

export class Hub {
  #readers = new Set<StreamReader>();
  #tail: Tail;
  #log: EventLog;
  #pulse: Pulse;

  constructor(log: EventLog, pulse: Pulse, head: number) {
    this.#log = log;
    this.#pulse = pulse;
    this.#tail = { head, frames: [], sizeBytes: 0 };
  }

  open(query: StreamQuery): ReadableStream<Uint8Array> {
    const reader = new StreamReader({
      log: this.#log,
      tail: this.#tail,
      cursor: Math.min(query.after ?? this.#tail.head, this.#tail.head),
      deltas: new Set(query.deltas),
      closed: () => this.#leave(reader),
    });
    if (this.#readers.size === 0) this.#pulse.start(() => this.#beat());
    this.#readers.add(reader);
    return reader.toStream();
  }

  /** Called after the append: the entries are in the log. */
  publish(entries: readonly LoggedEntry[]): void {
    const tail = this.#tail;
    for (const { seq, event } of entries) {
      tail.head = seq;
      if (this.#readers.size === 0) continue;
      const bytes = eventFrame({ seq, type: event.type, data: JSON.stringify(event) });
      tail.frames.push({ seq, bytes });
      tail.sizeBytes += bytes.length;
    }
    this.#trim();
    for (const reader of this.#readers) reader.wake();
  }

  #trim(): void {
    const tail = this.#tail;
    const fits = () => tail.frames.length <= TAIL_EVENTS && tail.sizeBytes <= TAIL_BYTES;
    while (tail.frames.length > 0 && (this.#readers.size === 0 || !fits())) {
      tail.sizeBytes -= tail.frames.shift()?.bytes.length ?? 0;
    }
  }

  wantsPreviews(type: Previewable): boolean {
    for (const reader of this.#readers) if (reader.deltas.has(type)) return true;
    return false;
  }

  preview(preview: Preview): void {
    const bytes = previewFrame(preview);
    for (const reader of this.#readers) reader.preview(preview, bytes);
  }

  #beat(): void {
    for (const reader of this.#readers) reader.heartbeat(HEARTBEAT);
  }

  #leave(reader: StreamReader): void {
    if (this.#readers.delete(reader) && this.#readers.size === 0) this.#pulse.stop();
  }

  /** Ends every stream once it has delivered all there is. */
  finish(): void {
    for (const reader of this.#readers) reader.finish();
  }

  /** Ends every stream: clients connect again with their last event id. */
  close(): void {
    for (const reader of this.#readers) reader.close();
  }
}
