// A reader over a WebSocket: told at once what is due, one message an event. Where it stands is kept with the socket, so
// that it goes on in another process.
//
// S1. What was sent and what is kept as sent change in the same tick: whoever goes on with the socket repeats and omits
//     nothing.
// S2. The host buffers without bound what a client does not take: one that was sent MAX_CHARS since it last showed life is
//     closed, and told where to resume.
import type { Reader } from './reader.ts';

const MAX_CHARS = 8_000_000;

/** Close codes of RFC 6455. */
const NORMAL = 1000;
const TRY_AGAIN = 1013;

export interface Socket {
  send(text: string): void;
  /** Keeps the last position the client has, for whoever goes on with the socket. */
  keep(position: number): void;
  close(code: number, reason: string): void;
  /** When the client last pinged; null: never. */
  heardAt(): number | null;
}

export class SocketReader {
  #reader: Reader;
  #socket: Socket;
  #position = 0;
  #heardAt: number | null = null;
  #unheardChars = 0;

  constructor(reader: Reader, socket: Socket) {
    this.#reader = reader;
    this.#socket = socket;
  }

  /** Resolves when the reader has ended. A socket whose reader is `away` stays open: another process goes on with it. */
  async run(): Promise<void> {
    try {
      await this.#reader.begin();
      this.#keep();
      while (this.#reader.ending === null) {
        if (!(await this.#step())) await this.#reader.rest();
      }
      if (this.#reader.ending === 'over') this.#socket.close(NORMAL, 'the session is over');
    } catch (error) {
      this.#dismiss();
      throw error;
    }
  }

  /** The client has closed. */
  leave(): void {
    this.#reader.end('gone');
  }

  /** False: nothing was due. */
  async #step(): Promise<boolean> {
    const frames = await this.#reader.next();
    if (frames.length === 0) return false;
    // Ended since: whoever has the socket now sends them.
    if (this.#reader.ending !== null) return true;
    const chars = frames.reduce((sum, frame) => sum + frame.chars, 0);
    if (!this.#roomFor(chars)) {
      this.#dismiss();
      return true;
    }
    for (const frame of frames) this.#socket.send(frame.text);
    this.#keep();
    return true;
  }

  #keep(): void {
    this.#position = this.#reader.feed.cursor;
    this.#socket.keep(this.#position);
  }

  #roomFor(chars: number): boolean {
    const heardAt = this.#socket.heardAt();
    if (heardAt !== this.#heardAt) this.#unheardChars = 0;
    this.#heardAt = heardAt;
    // One batch always passes, however long its events are.
    const fits = this.#unheardChars === 0 || this.#unheardChars + chars <= MAX_CHARS;
    this.#unheardChars += chars;
    return fits;
  }

  #dismiss(): void {
    this.#reader.end('gone');
    this.#socket.close(TRY_AGAIN, `resume with after=${this.#position}`);
  }
}
