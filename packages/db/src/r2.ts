// Opens an R2 binding. A content longer than a piece goes up in parts while the next one arrives: two pieces are held.
// Parts of an upload whose process died are R2's to forget, after a week.
import type { R2Bucket, R2MultipartUpload, R2UploadedPart } from '@cloudflare/workers-types';
import { type Blobs, type Content, Digester, piecesOf } from './blobs.ts';

export function openR2(bucket: R2Bucket): Blobs {
  return {
    put: async (key, content) => {
      const upload = new Upload(bucket, key);
      try {
        for await (const piece of piecesOf(content)) await upload.add(piece);
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

class Upload {
  #bucket: R2Bucket;
  #key: string;
  #digester = new Digester();
  /** Held back: alone, it is all there is, and needs no parts. */
  #first: Uint8Array<ArrayBuffer> | null = null;
  #parts: R2MultipartUpload | null = null;
  #sent: R2UploadedPart[] = [];
  #sending: Promise<R2UploadedPart> | null = null;

  constructor(bucket: R2Bucket, key: string) {
    this.#bucket = bucket;
    this.#key = key;
  }

  async add(piece: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#first === null && this.#parts === null) {
      this.#first = piece;
      return;
    }
    this.#parts ??= await this.#bucket.createMultipartUpload(this.#key);
    if (this.#first !== null) await this.#send(this.#parts, this.#first);
    this.#first = null;
    if (piece.length > 0) await this.#send(this.#parts, piece);
  }

  async end(): Promise<Content> {
    if (this.#parts === null) {
      const whole = this.#first ?? new Uint8Array();
      await this.#digester.add(whole);
      await this.#bucket.put(this.#key, whole);
      return this.#digester.end();
    }
    await this.#settle();
    await this.#parts.complete(this.#sent);
    return this.#digester.end();
  }

  async abort(): Promise<void> {
    await this.#sending?.catch(() => undefined);
    await this.#parts?.abort().catch(() => undefined);
  }

  async #send(parts: R2MultipartUpload, piece: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#settle();
    await this.#digester.add(piece);
    this.#sending = parts.uploadPart(this.#sent.length + 1, piece);
    // Its failure is told by whoever waits for it next.
    this.#sending.catch(() => undefined);
  }

  async #settle(): Promise<void> {
    if (this.#sending !== null) this.#sent.push(await this.#sending);
    this.#sending = null;
  }
}
