// Where the content of files is kept, by keys that only the platform knows. Whatever becomes of a process, a content is
// there whole or not at all.
export interface Content {
  sizeBytes: number;
  /** Equal digests are equal bytes. */
  digest: string;
}

export interface ByteRange {
  offset: number;
  length: number;
}

export interface Blobs {
  /**
   * Writes what comes, holding a few MiB of it at a time. A chunk may be gone once the next one is asked for. Rejects with
   * what `content` rejects with; nothing is kept then.
   */
  put(key: string, content: AsyncIterable<Uint8Array>): Promise<Content>;
  /** The content, or the range of it. Null: there is none. Cancel it to stop reading. */
  get(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array> | null>;
  /** At most 1,000. Harmless for those that are not there. */
  remove(keys: readonly string[]): Promise<void>;
}

/** The digest of a content is that of the digests of its pieces, each of PIECE_BYTES and the last one shorter. */
export class Digester {
  #digests: Uint8Array[] = [];
  #sizeBytes = 0;

  async add(piece: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#sizeBytes += piece.length;
    this.#digests.push(new Uint8Array(await crypto.subtle.digest('SHA-256', piece)));
  }

  async end(): Promise<Content> {
    const joined = new Uint8Array(this.#digests.length * 32);
    for (const [index, digest] of this.#digests.entries()) joined.set(digest, index * 32);
    const whole = new Uint8Array(await crypto.subtle.digest('SHA-256', joined));
    const digest = Array.from(whole, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return { sizeBytes: this.#sizeBytes, digest };
  }
}
