// Frames: what a stream carries, in the form each kind of connection takes it. `id` is the log position, so that a client
// can resume from it. Each form is made when it is first asked for, and once for all readers.
import type { Preview } from '@capstan/schema/events/previews';

const encoder = new TextEncoder();

/** How soon a client that was told to resume may come back. */
const RETRY_MS = 1_000;

/**
 * Sent while nothing happens, so that no proxy takes the connection for dead. Comments end with one line feed: a blank
 * line after them makes some parsers, among them the official Python SDK's, emit an empty event once an id was seen.
 */
export const HEARTBEAT = encoder.encode(': still here\n');

/** What a client that leaves before its first event may resume from. */
export function opening(position: number): Uint8Array {
  return encoder.encode(`: stream open at ${position}\nid: ${position}\n`);
}

/** Told before the server ends a stream that is not over. */
export function farewell(position: number): Uint8Array {
  return encoder.encode(`: not over, resume with Last-Event-ID: ${position}\nretry: ${RETRY_MS}\n`);
}

export class Frame {
  /** Null: a preview. It is not in the log and cannot be resumed from. */
  seq: number | null;
  #type: string;
  #data: string;
  #bytes: Uint8Array | undefined;
  #text: string | undefined;

  private constructor(seq: number | null, type: string, data: string) {
    this.seq = seq;
    this.#type = type;
    this.#data = data;
  }

  /** `data` is the event as JSON. */
  static event(line: { seq: number; type: string; data: string }): Frame {
    return new Frame(line.seq, line.type, line.data);
  }

  static preview(preview: Preview): Frame {
    return new Frame(null, preview.type, JSON.stringify(preview));
  }

  get chars(): number {
    return this.#data.length;
  }

  /** A server-sent event. Shared: not to be transferred. */
  get bytes(): Uint8Array {
    const id = this.seq === null ? '' : `id: ${this.seq}\n`;
    this.#bytes ??= encoder.encode(`${id}event: ${this.#type}\ndata: ${this.#data}\n\n`);
    return this.#bytes;
  }

  /** A WebSocket message. */
  get text(): string {
    const id = this.seq === null ? '' : `"id":${this.seq},`;
    this.#text ??= `{${id}"event":${this.#data}}`;
    return this.#text;
  }
}
