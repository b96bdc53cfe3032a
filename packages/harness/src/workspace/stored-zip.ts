// The archive of a skill as the platform keeps it, read from its beginning: nothing in it is packed, and every entry says
// before its content how long that is.
const LOCAL = 0x04034b50;
const HEAD_BYTES = 30;
const BEGIN_BYTES = 4;

export interface StoredEntry {
  path: string;
  sizeBytes: number;
  /** Its first bytes, as many as tell what it is. */
  begin: Uint8Array;
  /** The others: to be read before the next entry is asked for. */
  content: AsyncIterable<Uint8Array>;
}

/** An archive that is not as the platform writes it. */
export class DamagedArchive extends Error {
  override name = 'DamagedArchive';
}

/** Throws DamagedArchive. */
export async function* storedEntries(source: AsyncIterable<Uint8Array>): AsyncGenerator<StoredEntry, void> {
  const bytes = new Bytes(source);
  for (;;) {
    const signature = new DataView((await bytes.exactly(4)).buffer).getUint32(0, true);
    if (signature !== LOCAL) break;
    const head = new DataView((await bytes.exactly(HEAD_BYTES - 4)).buffer);
    const method = head.getUint16(4, true);
    const sizeBytes = head.getUint32(18, true);
    if (method !== 0) throw new DamagedArchive(`an entry is packed by method ${method}`);
    const path = new TextDecoder().decode(await bytes.exactly(head.getUint16(22, true)));
    await bytes.exactly(head.getUint16(24, true));
    const begin = await bytes.exactly(Math.min(sizeBytes, BEGIN_BYTES));
    yield { path, sizeBytes, begin, content: bytes.next(sizeBytes - begin.length) };
  }
  // The directory says the same again.
  await bytes.rest();
}

class Bytes {
  #source: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** A copy of its own. */
  async exactly(count: number): Promise<Uint8Array<ArrayBuffer>> {
    const whole = new Uint8Array(count);
    let filled = 0;
    for await (const piece of this.next(count)) {
      whole.set(piece, filled);
      filled += piece.length;
    }
    return whole;
  }

  async *next(count: number): AsyncGenerator<Uint8Array, void> {
    for (let left = count; left > 0; ) {
      if (this.#held.length === 0 && !(await this.#more())) throw new DamagedArchive('it is cut short');
      const piece = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async rest(): Promise<void> {
    while (await this.#more());
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done) return false;
    this.#held = next.value;
    return true;
  }
}
