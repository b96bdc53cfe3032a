// One output stream of an attendant while it performs a task: the task's output up to the line that bears the task's mark.

/** A newline, the mark, an exit code, `more` or `last`, a newline. */
const MAX_LINE_BYTES = 64;
const LINE = /^(\d{1,3}) (more|last)\n$/;
const NEWLINE = 10;

export interface Mark {
  exitCode: number;
  /** Nothing may be asked of who wrote it any more. */
  last: boolean;
}

export class MarkedStream {
  readonly #head: string;
  readonly #maxBytes: number;
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #end: Uint8Array = new Uint8Array();
  #markBytes = 0;
  /** Of all that came, the mark too. */
  sizeBytes = 0;
  mark: Mark | null = null;

  /** `mark`: letters and digits; `maxBytes`: what is kept of the output. */
  constructor(mark: string, maxBytes: number) {
    this.#head = `\n${mark} `;
    this.#maxBytes = maxBytes;
  }

  /** Nothing comes after a mark. */
  take(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#maxBytes - this.#keptBytes);
    if (kept.length > 0) this.#kept.push(kept);
    this.#keptBytes += kept.length;
    this.sizeBytes += chunk.length;
    this.#end =
      chunk.length >= MAX_LINE_BYTES
        ? chunk.subarray(-MAX_LINE_BYTES)
        : Buffer.concat([this.#end, chunk]).subarray(-MAX_LINE_BYTES);
    if (this.#end.at(-1) !== NEWLINE) return;
    const end = Buffer.from(this.#end).toString('latin1');
    const at = end.lastIndexOf(this.#head);
    const [words, code, more] = LINE.exec(at < 0 ? '' : end.slice(at + this.#head.length)) ?? [];
    if (words === undefined) return;
    this.#markBytes = end.length - at;
    this.mark = { exitCode: Number(code), last: more === 'last' };
  }

  /** The output without its mark. */
  output(): { bytes: Uint8Array; truncated: boolean } {
    const sizeBytes = this.sizeBytes - this.#markBytes;
    const [only] = this.#kept;
    const bytes = this.#kept.length === 1 && only ? only : Buffer.concat(this.#kept, this.#keptBytes);
    return { bytes: bytes.subarray(0, sizeBytes), truncated: sizeBytes > this.#maxBytes };
  }
}
