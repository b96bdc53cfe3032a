// An attendant: a shell of ours in a sandbox that performs tasks as they are asked of it, one at a time.
//  1. A task that may not be done twice is given back undone only if it was not begun.
//  2. It is asked for nothing more once it is old, has answered much, or has failed a task in any way.
//  3. It is not left alone for long: a sandbox that nobody uses has no attendant.
import type { ContainerProcess, Sandbox } from 'modal';
import { MarkedStream } from './marked-stream.ts';
import { attendantArgv, type Order } from './order.ts';
import { Orders } from './orders.ts';
import type { Invoked, Task } from './programs.ts';

/** How much longer than we leave it alone it waits for us. */
const PATIENCE = 2;
const LIFE_MS = 4 * 60_000;
/** Modal keeps what a process writes for as long as it lives, up to a limit. */
const MAX_ANSWERED_BYTES = 8 * 1024 * 1024;
/** Kept here for as long. */
const MAX_ORDERED_BYTES = 1024 * 1024;

export interface Terms {
  /** How long one task may take; it is killed when it has not ended long after. */
  deadlineMs: number;
  /** It ends when it has had nothing to do for this long. */
  idleMs: number;
}

export class Attendant {
  /** Resolves when nothing more comes from it. */
  readonly ended: Promise<void>;
  readonly #process: ContainerProcess<Uint8Array>;
  readonly #orders = new Orders();
  readonly #readers: ReadableStreamDefaultReader<Uint8Array>[];
  readonly #idleMs: number;
  readonly #retireAt = Date.now() + LIFE_MS;
  #answer: Answer | undefined;
  #answeredBytes = 0;
  #retired = false;
  #idle: NodeJS.Timeout | undefined;

  /** Throws what the SDK throws. */
  static async start(sandbox: Sandbox, terms: Terms): Promise<Attendant> {
    const process = await sandbox.exec(attendantArgv(PATIENCE * terms.idleMs), {
      mode: 'binary',
      workdir: '/',
      stdout: 'pipe',
      stderr: 'pipe',
      timeoutMs: Math.ceil((LIFE_MS + terms.deadlineMs) / 1000 + 1) * 1000,
    });
    return new Attendant(process, terms.idleMs);
  }

  private constructor(process: ContainerProcess<Uint8Array>, idleMs: number) {
    this.#process = process;
    this.#idleMs = idleMs;
    // Its input as a stream of writes costs half of what a call for each write does. Without it, it ends by itself.
    process._stdinWriteStream(this.#orders).catch(() => {
      this.retire();
      void process.closeStdin();
    });
    this.#readers = [process.stdout, process.stderr].map((stream) => stream.getReader());
    const pumps = this.#readers.map((reader, index) =>
      pump(reader, (chunk) => this.#take(index === 0 ? 'stdout' : 'stderr', chunk)),
    );
    this.ended = Promise.all(pumps).then(() => {
      this.retire();
      this.#answer?.end();
    });
  }

  get isFree(): boolean {
    return !this.#retired && this.#answer === undefined && Date.now() < this.#retireAt;
  }

  /** Of one that is free. Null: it was not done, or doing it again is harmless. Throws when its outcome cannot be had. */
  async perform(task: Task, order: Order): Promise<Invoked | null> {
    clearTimeout(this.#idle);
    const answer = new Answer(task, order);
    this.#answer = answer;
    const abandon = () => this.#abandon();
    task.signal?.addEventListener('abort', abandon, { once: true });
    this.#orders.add(order.bytes);
    await answer.settled;
    task.signal?.removeEventListener('abort', abandon);
    this.#answer = undefined;
    this.#answeredBytes += answer.sizeBytes;
    if (answer.mark === null) return this.#unmarked(answer);
    const worn = this.#answeredBytes > MAX_ANSWERED_BYTES || this.#orders.sizeBytes > MAX_ORDERED_BYTES;
    if (answer.mark.last || worn) this.retire();
    else this.#idle = setTimeout(() => this.retire(), this.#idleMs).unref();
    const { exitCode } = answer.mark;
    // What performed it was killed, and may have said anything.
    return !task.complete && exitCode > 128 ? null : answer.invoked(exitCode);
  }

  /** It gets no more tasks, and ends after the one it has. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    clearTimeout(this.#idle);
    this.#orders.end();
  }

  /** It ended within a task; it ends with the code of its last one, so its own is as good. */
  async #unmarked(answer: Answer): Promise<Invoked | null> {
    this.retire();
    return answer.begun ? answer.invoked(await this.#process.wait()) : null;
  }

  #abandon(): void {
    this.retire();
    for (const reader of this.#readers) void reader.cancel().catch(() => {});
  }

  #take(stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    const answer = this.#answer;
    answer?.take(stream, chunk);
    // Without a task, only what one left behind can write.
    if (answer === undefined || answer.sizeBytes > MAX_ANSWERED_BYTES) this.retire();
  }
}

class Answer {
  readonly settled: Promise<void>;
  readonly #stdout: MarkedStream;
  /** Null: nobody wants it. */
  readonly #stderr: MarkedStream | null;
  /** The line that says it has begun. */
  readonly #headBytes: number;
  #settle: () => void = () => {};

  constructor({ maxBytes, complete = false }: Task, { mark }: Order) {
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#headBytes = complete ? mark.length + 1 : 0;
    this.#stdout = new MarkedStream(mark, maxBytes + this.#headBytes);
    this.#stderr = complete ? new MarkedStream(mark, maxBytes) : null;
  }

  get begun(): boolean {
    return this.#headBytes > 0 && this.#stdout.sizeBytes >= this.#headBytes;
  }

  get mark() {
    return this.#stderr === null || this.#stderr.mark !== null ? this.#stdout.mark : null;
  }

  get sizeBytes(): number {
    return this.#stdout.sizeBytes + (this.#stderr?.sizeBytes ?? 0);
  }

  take(stream: 'stdout' | 'stderr', chunk: Uint8Array): void {
    if (stream === 'stdout') this.#stdout.take(chunk);
    else this.#stderr?.take(chunk);
    if (this.mark !== null) this.#settle();
  }

  end(): void {
    this.#settle();
  }

  invoked(exitCode: number): Invoked {
    const stdout = this.#stdout.output();
    const stderr = this.#stderr?.output() ?? { bytes: new Uint8Array(), truncated: false };
    return {
      stdout: stdout.bytes.subarray(this.#headBytes),
      stderr: stderr.bytes,
      exitCode,
      truncated: stdout.truncated || stderr.truncated,
    };
  }
}

async function pump(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  take: (chunk: Uint8Array) => void,
): Promise<void> {
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) take(next.value);
  } catch {
    // Why it came to its end is told to whoever asks the sandbox next.
  }
}
