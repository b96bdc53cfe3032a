// The output of one stream of one run: small in memory, larger on disk, readable from any offset while it grows.
// It keeps `limitBytes` and no more, and less when the disk is full; what is cut off is announced in the stream itself.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';

const MEMORY_BYTES = 64 * 1024;
const READ_BYTES = 128 * 1024;

export class Spool {
  /** Of `read`, that have not come to their end. */
  readers = 0;
  readonly #path: string;
  readonly #limitBytes: number;
  #memory: Buffer[] = [];
  #file: number | undefined;
  #sizeBytes = 0;
  /** What readers get after everything kept; set once nothing more is. */
  #notice: Buffer | undefined;
  #ended = false;
  #disposed = false;
  #waiting = new Set<() => void>();

  /** `path` is where output goes once it no longer fits in memory. */
  constructor(path: string, limitBytes: number) {
    this.#path = path;
    this.#limitBytes = limitBytes;
  }

  get memoryBytes(): number {
    return this.#file === undefined && !this.#disposed ? this.#sizeBytes : 0;
  }

  get diskBytes(): number {
    return this.#file === undefined ? 0 : this.#sizeBytes;
  }

  append(chunk: Buffer): void {
    if (this.#ended || this.#notice !== undefined || this.#disposed || chunk.length === 0) return;
    const room = this.#limitBytes - this.#sizeBytes;
    try {
      this.#keep(chunk.subarray(0, room));
      if (chunk.length > room) this.#cut(`output over ${this.#limitBytes} bytes is discarded`);
    } catch (cause) {
      // A sandbox can fill the disk, and only its own output may suffer from that.
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
      this.#cut(`the rest of the output is lost: the emulator's disk does not take it (${code})`);
    }
    this.#wake();
  }

  /** Nothing more will come; readers finish once they have read everything. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Yields everything from `offset` on and, until `end`, what is still to come; stops when `signal` aborts. */
  async *read(offset: number, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    let position = offset;
    this.readers += 1;
    try {
      while (!signal.aborted && !this.#disposed) {
        const chunk = this.#at(position);
        if (chunk !== undefined) {
          position += chunk.length;
          yield chunk;
        } else if (this.#ended) return;
        else await this.#change(signal);
      }
    } finally {
      this.readers -= 1;
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#memory = [];
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#wake();
  }

  #cut(why: string): void {
    this.#notice = Buffer.from(`\n[${why}]\n`);
  }

  #keep(chunk: Buffer): void {
    if (this.#file === undefined && this.#sizeBytes + chunk.length <= MEMORY_BYTES) {
      this.#memory.push(chunk);
      this.#sizeBytes += chunk.length;
      return;
    }
    this.#file ??= this.#spill();
    for (let written = 0; written < chunk.length; ) {
      const count = writeSync(this.#file, chunk, written, chunk.length - written, this.#sizeBytes);
      written += count;
      this.#sizeBytes += count;
    }
  }

  /** Moves what is in memory to a file. */
  #spill(): number {
    const file = openSync(this.#path, 'wx+', 0o600);
    try {
      // Open but nameless: the space is returned even if the emulator is killed.
      unlinkSync(this.#path);
      const memory = Buffer.concat(this.#memory);
      for (let at = 0; at < memory.length; ) at += writeSync(file, memory, at, memory.length - at, at);
    } catch (cause) {
      closeSync(file);
      throw cause;
    }
    this.#memory = [];
    return file;
  }

  #at(position: number): Buffer | undefined {
    if (position >= this.#sizeBytes) {
      const rest = this.#notice?.subarray(position - this.#sizeBytes);
      return rest === undefined || rest.length === 0 ? undefined : rest;
    }
    if (this.#file === undefined) {
      this.#memory = [Buffer.concat(this.#memory)];
      return this.#memory[0]?.subarray(position);
    }
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, this.#sizeBytes - position));
    const length = readSync(this.#file, buffer, 0, buffer.length, position);
    return buffer.subarray(0, length);
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
