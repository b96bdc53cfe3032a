// A reader over HTTP: server-sent events, taken at the client's own pace. One that takes nothing for too long is told where
// to resume, and the stream ends.
import { type Frame, farewell, HEARTBEAT, opening } from './frames.ts';
import type { Reader } from './reader.ts';

const MISSED_HEARTBEATS = 20;

export class StreamReader {
  #reader: Reader;
  /** What the client has: events up to there have been handed on. */
  #position: number | null = null;
  #beat = false;
  #missed = 0;
  #dismissed = false;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  toStream(): ReadableStream<Uint8Array> {
    return new ReadableStream({
      type: 'bytes',
      pull: async (controller) => {
        const chunk = await this.#next().catch((error: unknown) => {
          this.#reader.end('gone');
          throw error;
        });
        if (chunk !== null) return controller.enqueue(chunk);
        controller.close();
        // A pending read of a byte stream ends only when it is answered.
        controller.byobRequest?.respond(0);
      },
      cancel: () => this.#reader.end('gone'),
    });
  }

  heartbeat(): void {
    this.#missed += 1;
    this.#beat = true;
    if (this.#missed > MISSED_HEARTBEATS) this.#reader.end('away');
    else this.#reader.wake();
  }

  /** Null: the stream has ended. */
  async #next(): Promise<Uint8Array | null> {
    this.#missed = 0;
    // At once, so that whoever is in between passes the answer's head on.
    if (this.#position === null) return this.#begin();
    for (;;) {
      const frames = await this.#reader.next();
      if (frames.length > 0) return this.#told(frames);
      if (this.#reader.ending !== null) return this.#end();
      if (this.#beat) {
        this.#beat = false;
        return HEARTBEAT.slice();
      }
      await this.#reader.rest();
    }
  }

  async #begin(): Promise<Uint8Array> {
    await this.#reader.begin();
    this.#position = this.#reader.feed.cursor;
    return opening(this.#position);
  }

  #told(frames: readonly Frame[]): Uint8Array {
    this.#beat = false;
    this.#position = this.#reader.feed.cursor;
    return joined(frames);
  }

  #end(): Uint8Array | null {
    if (this.#dismissed || this.#reader.ending !== 'away') return null;
    this.#dismissed = true;
    return farewell(this.#position ?? 0);
  }
}

/** Always a copy: a byte stream takes the buffer it is given away, and frames are shared. */
function joined(frames: readonly Frame[]): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((size, frame) => size + frame.bytes.length, 0));
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame.bytes, at);
    at += frame.bytes.length;
  }
  return bytes;
}
