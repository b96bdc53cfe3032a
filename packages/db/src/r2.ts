// Opens an R2 binding. A content longer than a piece goes up in parts while the next one arrives: two pieces are held.
// Parts of an upload whose process died are R2's to forget, after a week.
import type { R2Bucket, R2MultipartUpload, R2UploadedPart } from '@cloudflare/workers-types';
import { type Blobs, type Content, Digester } from './blobs.ts';
import { type Piece, Pieces } from './pieces.ts';

export function openR2(bucket: R2Bucket): Blobs {
  return {
    put: async (key, content) => {
      const pieces = new Pieces();
      const upload = new Upload(bucket, { key, done: (piece) => pieces.giveBack(piece) });
      try {
        for await (const piece of pieces.of(content)) await upload.add(piece);
        return await upload.end();
      } catch (error) {
        await upload.abort();
        throw error;
      }
    },
    get: async (key, range) => {
      const object = await bucket.get(key, range && { range });
      // The binding's streams and the platform's are one class under two names.
      return object === null ? null : (object.body as unknown as ReadableStream<Uint8Array>);
    },
    remove: async (keys) => {
      if (keys.length > 0) await bucket.delete([...keys]);
    },
  };
}

interface Sending {
  piece: Piece;
  part: Promise<R2UploadedPart>;
}

class Upload {
  #bucket: R2Bucket;
  #key: string;
  #done: (piece: Piece) => void;
  #digester = new Digester();
  /** Held back: alone, it is all there is, and needs no parts. */
  #first: Piece | null = null;
  #parts: R2MultipartUpload | null = null;
  #sent: R2UploadedPart[] = [];
  #sending: Sending | null = null;

  constructor(bucket: R2Bucket, { key, done }: { key: string; done: (piece: Piece) => void }) {
    this.#bucket = bucket;
    this.#key = key;
    this.#done = done;
  }

  async add(piece: Piece): Promise<void> {
    if (this.#first === null && this.#parts === null) {
      this.#first = piece;
      return;
    }
    this.#parts ??= await this.#bucket.createMultipartUpload(this.#key);
    if (this.#first !== null) await this.#send(this.#parts, this.#first);
    this.#first = null;
    if (piece.bytes.length > 0) await this.#send(this.#parts, piece);
  }

  async end(): Promise<Content> {
    if (this.#parts === null) {
      const whole = this.#first?.bytes ?? new Uint8Array();
      await this.#digester.add(whole);
      await this.#bucket.put(this.#key, whole);
      return this.#digester.end();
    }
    await this.#settle();
    await this.#parts.complete(this.#sent);
    return this.#digester.end();
  }

  async abort(): Promise<void> {
    await this.#sending?.part.catch(() => undefined);
    await this.#parts?.abort().catch(() => undefined);
  }

  async #send(parts: R2MultipartUpload, piece: Piece): Promise<void> {
    await this.#settle();
    await this.#digester.add(piece.bytes);
    const part = parts.uploadPart(this.#sent.length + 1, piece.bytes);
    // Its failure is told by whoever waits for it next.
    part.catch(() => undefined);
    this.#sending = { piece, part };
  }

  async #settle(): Promise<void> {
    if (this.#sending === null) return;
    const { piece, part } = this.#sending;
    this.#sent.push(await part);
    this.#sending = null;
    this.#done(piece);
  }
}
