// Contents in pieces of one size, however they come. The memory of a piece that is done with is used for another.
export const PIECE_BYTES = 8 * 1024 * 1024;

/** Most contents are small. */
const LEAST_BYTES = 64 * 1024;

export class Piece {
  #memory = new Uint8Array(LEAST_BYTES);
  #filled = 0;

  /** Takes what it has room for, and gives the rest. */
  take(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, PIECE_BYTES - this.#filled);
    this.#grow(this.#filled + taken.length);
    this.#memory.set(taken, this.#filled);
    this.#filled += taken.length;
    return chunk.subarray(taken.length);
  }

  get isFull(): boolean {
    return this.#filled === PIECE_BYTES;
  }

  /** There until it is cleared. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#memory.subarray(0, this.#filled);
  }

  clear(): void {
    this.#filled = 0;
  }

  #grow(needed: number): void {
    if (needed <= this.#memory.length) return;
    const larger = new Uint8Array(needed > PIECE_BYTES / 8 ? PIECE_BYTES : needed * 2);
    larger.set(this.bytes);
    this.#memory = larger;
  }
}

export class Pieces {
  #spare: Piece[] = [];

  /** All of them are full but the last one, which may be empty. */
  async *of(content: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
    let piece = this.#next();
    for await (const chunk of content) {
      for (let rest = chunk; rest.length > 0; ) {
        rest = piece.take(rest);
        if (!piece.isFull) continue;
        yield piece;
        piece = this.#next();
      }
    }
    yield piece;
  }

  /** Nobody reads it any more. */
  giveBack(piece: Piece): void {
    piece.clear();
    this.#spare.push(piece);
  }

  #next(): Piece {
    return this.#spare.pop() ?? new Piece();
  }
}
