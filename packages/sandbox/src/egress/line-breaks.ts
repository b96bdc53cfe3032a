// Where text is wrapped: a line break as it stands or as JSON writes it, and the indentation of the next line.

/** Longer than any indentation that makes sense. */
const MAX_BREAK_BYTES = 96;
const [TAB, LF, CR, SPACE, BACKSLASH, N, R] = [...Buffer.from('\t\n\r \\nr')];

export class LineBreaks {
  #length = 0;
  #lines = 0;
  #escaped = false;

  /** `break`: it only separates what is around it. `end`: nothing goes on after it, as after an empty line. */
  take(byte: number): 'text' | 'break' | 'end' {
    const wasEscaped = this.#escaped;
    this.#escaped = byte === BACKSLASH;
    if (byte === LF || (wasEscaped && byte === N)) return this.#grow(1);
    if (byte === CR || byte === BACKSLASH || (wasEscaped && byte === R)) return this.#grow(0);
    if ((byte === SPACE || byte === TAB) && this.#lines > 0) return this.#grow(0);
    this.#begin();
    return 'text';
  }

  #grow(lines: number): 'break' | 'end' {
    this.#length += 1;
    this.#lines += lines;
    if (this.#length <= MAX_BREAK_BYTES && this.#lines <= 1) return 'break';
    this.#begin();
    return 'end';
  }

  #begin(): void {
    this.#length = 0;
    this.#lines = 0;
    this.#escaped = false;
  }
}
