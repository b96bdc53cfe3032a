// The output of one stream of one run: small in memory, larger on disk, readable from any offset while it grows.
// It keeps `limitBytes` and no more; what is cut off is announced in the stream itself.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';

const MEMORY_BYTES = 64 * 1024;
const READ_BYTES = 128 * 1024;

export class Spool {
  readonly #path: string;
  readonly #limitBytes: number;
  #memory: Buffer[] = [];
  #file: number | undefined;
  #sizeBytes = 0;
  #full = false;
  #ended = false;
  #disposed = false;
  #waiting = new Set<() => void>();

  /** `path` is where output goes once it no longer fits in memory. */
  constructor(path: string, limitBytes: number) {
    this.#path = path;
    this.#limitBytes = limitBytes;
  }

  append(chunk: Buffer): void {
    if (this.#ended || this.#full || this.#disposed || chunk.length === 0) return;
    const room = this.#limitBytes - this.#sizeBytes;
    if (chunk.length <= room) this.#keep(chunk);
    else {
      this.#full = true;
      this.#keep(chunk.subarray(0, room));
      this.#keep(Buffer.from(`\n[output over ${this.#limitBytes} bytes is discarded]\n`));
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
    while (!signal.aborted && !this.#disposed) {
      const chunk = this.#at(position);
      if (chunk !== undefined) {
        position += chunk.length;
        yield chunk;
      } else if (this.#ended) return;
      else await this.#change(signal);
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#memory = [];
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    this.#wake();
  }

  #keep(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#file === undefined) {
      this.#memory.push(chunk);
      if (this.#sizeBytes <= MEMORY_BYTES) return;
      this.#file = openSync(this.#path, 'wx+', 0o600);
      // Open but nameless: the space is returned even if the emulator is killed.
      unlinkSync(this.#path);
      const memory = Buffer.concat(this.#memory);
      this.#memory = [];
      writeFully(this.#file, memory);
    } else writeFully(this.#file, chunk);
  }

  #at(position: number): Buffer | undefined {
    if (position >= this.#sizeBytes) return undefined;
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

function writeFully(file: number, chunk: Buffer): void {
  let written = 0;
  while (written < chunk.length) written += writeSync(file, chunk, written);
}
