// Named pipes, made in batches because each batch costs one process. Programs in a sandbox get real pipes: on the socket
// pairs that Node hands to children, opening /dev/stdout again fails.
import { execFile, execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';

const BATCH = 128;
const LOW = 64;

export class NamedPipes {
  readonly #directory: string;
  #free: string[] = [];
  #made = 0;
  #refilling = false;

  constructor(directory: string) {
    this.#directory = directory;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { mode: 0o700 });
    this.#refill();
  }

  /** Puts a fresh pipe at `path`, on the same file system. Anyone who can reach `path` may open it. */
  place(path: string): void {
    let pipe = this.#free.pop();
    if (pipe === undefined) {
      const names = this.#names();
      execFileSync('mkfifo', ['-m', '666', ...names]);
      this.#free.push(...names);
      pipe = this.#free.pop();
    }
    if (pipe === undefined) throw new RangeError('A batch of named pipes is empty.');
    renameSync(pipe, path);
    if (this.#free.length < LOW) this.#refill();
  }

  #refill(): void {
    if (this.#refilling) return;
    this.#refilling = true;
    const names = this.#names();
    execFile('mkfifo', ['-m', '666', ...names], (error) => {
      this.#refilling = false;
      if (error === null) this.#free.push(...names);
    });
  }

  #names(): string[] {
    return Array.from({ length: BATCH }, () => join(this.#directory, String(this.#made++)));
  }
}

/** One end of a named pipe. It holds the other end open too, until `release`: neither side then waits for its peer. */
export class PipeEnd {
  readonly socket: Socket;
  #hold: number | undefined;

  constructor(path: string, direction: 'read' | 'write') {
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const reading = direction === 'read';
    this.#hold = reading ? writer : reader;
    this.socket = new Socket({ fd: reading ? reader : writer, readable: reading, writable: !reading });
    this.socket.on('error', () => {});
  }

  /** From here on the pipe ends when its peer closes it. */
  release(): void {
    if (this.#hold !== undefined) closeSync(this.#hold);
    this.#hold = undefined;
  }

  close(): void {
    this.release();
    this.socket.destroy();
  }
}
