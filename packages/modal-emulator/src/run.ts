// One command in a sandbox: its pipes, its output, its exit.
// 1. It is over when its main process exits, even if a background child still holds its output open. 2. Such a child
// lives on: its output is read and dropped, so it never meets a broken pipe. 3. Stdin is written once per offset,
// however often a client repeats itself.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NamedPipes, PipeEnd } from './named-pipes.ts';
import type { SandboxProcess } from './sandbox-process.ts';
import { Spool } from './spool.ts';
import type { ExitStatus } from './wire.ts';

/** How long output may trail the exit of the main process while another process holds the pipe. */
const DRAIN_MS = 25;
/** Some 35,000 entries with long names: as objects they take ten times that, of a heap all sandboxes share. */
const MAX_RENDERED_BYTES = 8 * 1024 * 1024;
const NOT_RENDERED =
  '{"error_kind":"FileTooLarge","message":"More entries than the local emulator lists","detail":""}';
const SIGKILL = 9;

export interface RunOptions {
  /** Bash, run by the sandbox's agent. */
  script: string;
  /** Turns a successful run's stdout into what its readers get; absent: as it is. */
  render?: (stdout: Buffer) => Buffer;
  keepStdout: boolean;
  keepStderr: boolean;
  /** Absent or 0: no limit. */
  timeoutMs?: number;
  limitBytes: number;
  /** Prefix of the files output goes to when it is large. */
  spoolPath: string;
}

export class StdinError extends Error {
  override readonly name = 'StdinError';
}

export class Run {
  readonly stdout: Spool;
  readonly stderr: Spool;
  exit: ExitStatus | undefined;
  /** Resolves with the exit status. */
  readonly exited: Promise<ExitStatus>;
  stdinBytes = 0;
  stdinClosed = false;
  readonly #options: Omit<RunOptions, 'script'>;
  readonly #process: SandboxProcess;
  /** Gone once all are closed: a finished run is kept for its output alone. */
  #ends: Record<'in' | 'out' | 'err' | 'status', PipeEnd> | undefined;
  readonly #pipeFiles: string[];
  readonly #scriptFile: string;
  #group: number | undefined;
  #killed = false;
  #status = '';
  #collected: Buffer[] = [];
  #collectedBytes = 0;
  #open = 2;
  #timer: NodeJS.Timeout | undefined;
  #resolve: (status: ExitStatus) => void = () => {};

  /** Starts at once; `id` names its files and is used once per sandbox. */
  constructor(
    process: SandboxProcess,
    pipes: NamedPipes,
    { id, script, ...options }: RunOptions & { id: string },
  ) {
    this.#process = process;
    this.#options = options;
    this.stdout = new Spool(`${options.spoolPath}.out`, options.limitBytes);
    this.stderr = new Spool(`${options.spoolPath}.err`, options.limitBytes);
    this.exited = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    const base = join(process.runDirectory, id);
    this.#pipeFiles = ['in', 'out', 'err', 'status'].map((suffix) => `${base}.${suffix}`);
    this.#scriptFile = `${base}.sh`;
    const end = (suffix: string, direction: 'read' | 'write') => {
      pipes.place(`${base}.${suffix}`);
      return new PipeEnd(`${base}.${suffix}`, direction);
    };
    const ends = {
      in: end('in', 'write'),
      out: end('out', 'read'),
      err: end('err', 'read'),
      status: end('status', 'read'),
    };
    this.#ends = ends;
    writeFileSync(this.#scriptFile, script, { mode: 0o644 });
    this.#listen(ends);
    process.run(id);
    if (options.timeoutMs) this.#timer = setTimeout(() => this.kill(), options.timeoutMs);
    process.exited.then(
      () => this.#finish({ signal: SIGKILL }),
      () => {},
    );
  }

  /** Kills the command and its process group; processes that left the group stay, as on any Linux. */
  kill(): void {
    this.#killed = true;
    if (this.#group !== undefined && this.exit === undefined) this.#process.killGroup(this.#group);
  }

  /** Writes what of `data` lies beyond the bytes already written; resolves when the pipe took it. */
  async writeStdin(offset: number, data: Uint8Array): Promise<void> {
    if (offset > this.stdinBytes)
      throw new StdinError(`Stdin has ${this.stdinBytes} bytes; a write at ${offset} would leave a gap.`);
    const fresh = data.subarray(this.stdinBytes - offset);
    if (fresh.length === 0) return;
    if (this.stdinClosed) throw new StdinError('Stdin is closed.');
    this.stdinBytes += fresh.length;
    const socket = this.#ends?.in.socket;
    // A program may end, or close its stdin, without reading it all: that is its choice and no error.
    if (socket?.writable) await new Promise<void>((resolve) => socket.write(fresh, () => resolve()));
  }

  closeStdin(): void {
    this.stdinClosed = true;
    // Before the command holds the pipe, closing it would leave the command waiting for a writer for ever.
    const end = this.#ends?.in;
    if (this.#group !== undefined) end?.socket.end(() => end.close());
  }

  get memoryBytes(): number {
    return this.stdout.memoryBytes + this.stderr.memoryBytes;
  }

  get diskBytes(): number {
    return this.stdout.diskBytes + this.stderr.diskBytes;
  }

  get isRead(): boolean {
    return this.stdout.readers + this.stderr.readers > 0;
  }

  dispose(): void {
    this.stdout.dispose();
    this.stderr.dispose();
  }

  #listen({ out, err, status }: Record<'out' | 'err' | 'status', PipeEnd>): void {
    out.socket.on('data', (chunk: Buffer) => this.#takeStdout(chunk));
    err.socket.on('data', (chunk: Buffer) => {
      if (this.#options.keepStderr) this.stderr.append(chunk);
    });
    for (const end of [out, err]) end.socket.once('close', () => this.#streamClosed());
    status.socket.on('data', (chunk: Buffer) => this.#takeStatus(chunk));
    status.socket.once('close', () => this.#finish(this.#reported() ?? { signal: SIGKILL }));
  }

  #takeStdout(chunk: Buffer): void {
    if (this.#options.render !== undefined) this.#collect(chunk);
    else if (this.#options.keepStdout) this.stdout.append(chunk);
  }

  /** What has to be rendered is held in memory, so a command that writes more than that is for is stopped. */
  #collect(chunk: Buffer): void {
    if (this.#collectedBytes > MAX_RENDERED_BYTES) return;
    this.#collected.push(chunk);
    this.#collectedBytes += chunk.length;
    if (this.#collectedBytes <= MAX_RENDERED_BYTES) return;
    this.#collected = [];
    this.stderr.append(Buffer.from(NOT_RENDERED));
    this.kill();
  }

  /** The sandbox could write anything here; only the two known lines count, and only for this run. */
  #takeStatus(chunk: Buffer): void {
    if (this.#status.length > 64) return;
    this.#status += chunk.toString('latin1');
    const group = /^s (\d+)\n/.exec(this.#status)?.[1];
    if (this.#group !== undefined || group === undefined) return;
    this.#group = Number(group);
    this.#release();
    if (this.#killed) this.kill();
    if (this.stdinClosed) this.closeStdin();
  }

  #release(): void {
    for (const end of Object.values(this.#ends ?? {})) end.release();
    for (const file of this.#pipeFiles.splice(0)) rmSync(file, { force: true });
  }

  /** Bash reports death by signal n as 128 + n, which is also what clients make of a signal. */
  #reported(): ExitStatus | undefined {
    const code = /^e (\d+)$/m.exec(this.#status)?.[1];
    return code === undefined ? undefined : { code: Number(code) };
  }

  #finish(status: ExitStatus): void {
    if (this.exit !== undefined) return;
    this.exit = status;
    clearTimeout(this.#timer);
    this.#release();
    // Not before: the command may still be reading it when it reports its pipes open.
    rmSync(this.#scriptFile, { force: true });
    this.#ends?.in.close();
    if (this.#open === 0) this.#end();
    // Once more around the event loop: what the command left in its pipes is then read.
    else setTimeout(() => setImmediate(() => this.#end()), DRAIN_MS);
    this.#resolve(status);
  }

  #streamClosed(): void {
    this.#open -= 1;
    if (this.#open === 0 && this.exit !== undefined) this.#end();
  }

  #end(): void {
    const { render } = this.#options;
    if (render !== undefined && this.exit?.code === 0)
      this.stdout.append(render(Buffer.concat(this.#collected)));
    this.#collected = [];
    this.#ends = undefined;
    this.stdout.end();
    this.stderr.end();
  }
}
