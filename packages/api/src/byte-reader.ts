// Reads a stream of bytes by its marks: up to a delimiter, or a line at a time. Holds no more than one chunk and a delimiter.
export class ByteReader {
  #source: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>, begun: Uint8Array = new Uint8Array()) {
    this.#source = source[Symbol.asyncIterator]();
    this.#held = begun;
  }

  /** What comes before the delimiter, piece by piece; then the delimiter is passed. Returns false when the stream ends without it. */
  async *until(delimiter: Uint8Array): AsyncGenerator<Uint8Array, boolean> {
    for (;;) {
      const at = indexOf(this.#held, delimiter);
      if (at !== -1) {
        if (at > 0) yield this.#held.subarray(0, at);
        this.#held = this.#held.subarray(at + delimiter.length);
        return true;
      }
      // The last bytes may be the delimiter's beginning.
      const passed = Math.max(0, this.#held.length - delimiter.length + 1);
      if (passed > 0) yield this.#held.subarray(0, passed);
      this.#held = this.#held.subarray(passed);
      if (!(await this.#more())) {
        if (this.#held.length > 0) yield this.#held;
        this.#held = new Uint8Array();
        return false;
      }
    }
  }

  /** The next line without its end (CRLF). Null: the stream ends first, or the line is longer than `most` bytes. */
  async line(most: number): Promise<Uint8Array | null> {
    for (;;) {
      const at = indexOf(this.#held, CRLF);
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
    const next = await this.#source.next();
    if (next.done) return false;
    const { value } = next;
    if (this.#held.length === 0) {
      this.#held = value;
      return true;
    }
    const joined = new Uint8Array(this.#held.length + value.length);
    joined.set(this.#held);
    joined.set(value, this.#held.length);
    this.#held = joined;
    return true;
  }
}

export const CRLF = new Uint8Array([13, 10]);

/** The first place of `needle`, which is not empty; -1 when there is none. */
function indexOf(bytes: Uint8Array, needle: Uint8Array): number {
  const first = needle[0] ?? 0;
  const last = bytes.length - needle.length;
  for (let at = bytes.indexOf(first); at !== -1 && at <= last; at = bytes.indexOf(first, at + 1)) {
    if (isAt(bytes, at, needle)) return at;
  }
  return -1;
}

function isAt(bytes: Uint8Array, at: number, needle: Uint8Array): boolean {
  for (let i = 1; i < needle.length; i++) if (bytes[at + i] !== needle[i]) return false;
  return true;
}
