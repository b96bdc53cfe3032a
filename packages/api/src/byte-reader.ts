// Reads a stream of bytes by its marks: up to a delimiter, or a line at a time. Holds no more than one chunk and a delimiter.
// A chunk may be gone once the next one is asked for: what is still wanted of it is copied before.
export class ByteReader {
  #source: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  /** `begun` was read of the stream already. */
  constructor(source: AsyncIterable<Uint8Array>, begun: Uint8Array = new Uint8Array()) {
    this.#source = source[Symbol.asyncIterator]();
    this.#held = begun;
  }

  /** What comes before the delimiter, piece by piece; then the delimiter is passed. Returns false when the stream ends without it. */
  async *until(delimiter: Delimiter): AsyncGenerator<Uint8Array, boolean> {
    const { length } = delimiter;
    for (;;) {
      const at = delimiter.in(this.#held);
      if (at !== -1) {
        if (at > 0) yield this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + length);
        return true;
      }
      // The last bytes may be the delimiter's beginning.
      const passed = Math.max(0, this.#held.length - length + 1);
      if (passed > 0) yield this.#held.subarray(0, passed);
      const tail = this.#held.slice(passed);
      this.#held = tail;
      const next = await this.#next();
      if (next === null) {
        if (tail.length > 0) yield tail;
        this.#held = new Uint8Array();
        return false;
      }
      const seam = joined(tail, next.subarray(0, length - 1));
      if (next.length < length || delimiter.in(seam) !== -1) this.#held = joined(tail, next);
      else {
        if (tail.length > 0) yield tail;
        this.#held = next;
      }
    }
  }

  /** The next line without its end (CRLF). Null: the stream ends first, or the line is longer than `most` bytes. */
  async line(most: number): Promise<Uint8Array | null> {
    for (;;) {
      const at = CRLF.in(this.#held);
      if (at !== -1) {
        const line = this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + CRLF.length);
        return line.length > most ? null : line;
      }
      if (this.#held.length > most + 1 || !(await this.#more())) return null;
    }
  }

  /** What was read of the stream and not passed yet. */
  get held(): Uint8Array {
    return this.#held;
  }

  async #more(): Promise<boolean> {
    const held = this.#held.slice();
    const next = await this.#next();
    this.#held = next === null ? held : joined(held, next);
    return next !== null;
  }

  /** Takes the chunk before away. */
  async #next(): Promise<Uint8Array | null> {
    const next = await this.#source.next();
    return next.done ? null : next.value;
  }
}

/** Bytes that are looked for: at most 255, and not none. */
export class Delimiter {
  readonly length: number;
  #bytes: Uint8Array;
  /** By how much to go on from a byte that stands where the last one should. */
  #steps: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.length = bytes.length;
    this.#steps = new Uint8Array(256).fill(bytes.length);
    for (const [index, byte] of bytes.subarray(0, -1).entries()) this.#steps[byte] = bytes.length - 1 - index;
  }

  /** Its first place; -1 when there is none. Most bytes are never looked at (Horspool). */
  in(bytes: Uint8Array): number {
    const last = this.length - 1;
    const wanted = this.#bytes[last];
    for (let at = last; at < bytes.length; ) {
      const byte = bytes[at] ?? 0;
      if (byte === wanted && this.#isAt(bytes, at - last)) return at - last;
      at += this.#steps[byte] ?? 1;
    }
    return -1;
  }

  #isAt(bytes: Uint8Array, at: number): boolean {
    for (let i = 0; i < this.length; i++) if (bytes[at + i] !== this.#bytes[i]) return false;
    return true;
  }
}

export const CRLF = new Delimiter(new Uint8Array([13, 10]));

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
