// Processes that wait to be told what sandbox to be. One is kept ahead, in control groups of its own: to start it and to
// move it there takes longer than all that comes after.
// 1. While it waits it is nothing of a sandbox: it has no user, namespaces or files of one. 2. It ends with the emulator,
// whose order pipe it reads.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Cgroups, SandboxCgroup } from './cgroups.ts';
import { newId } from './identifiers.ts';
import { PROGRAM_PATHS } from './interpreters.ts';
import { startArgv } from './start-order.ts';

/** What its client asks of a new sandbox first does not wait for the next. */
const PREPARE_MS = 5;
export const SANDBOX_ENV = {
  PATH: PROGRAM_PATHS.join(':'),
  HOME: '/root',
  LANG: 'C.UTF-8',
};

export class SandboxStartError extends Error {
  override readonly name = 'SandboxStartError';
}

/** A process, and the control groups it is in. */
export class SandboxStart {
  /** Of the sandbox it comes to be. */
  readonly id: string;
  readonly child: ChildProcess;
  /** Resolves when the process is in it; it has no limits yet. Rejects where it does not get there. */
  readonly group: Promise<SandboxCgroup>;
  /** Resolves when it has ended, with the reason it gave. */
  readonly ended: Promise<Error>;

  constructor(id: string, cgroups: Cgroups) {
    this.id = id;
    const [program = '', ...args] = startArgv();
    this.child = spawn(program, args, {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'ipc'],
      env: SANDBOX_ENV,
    });
    this.child.stdin?.on('error', () => {});
    this.ended = endOf(this.child);
    this.group = this.#enter(cgroups);
    // Whoever starts a sandbox hears of it.
    this.group.catch(() => {});
  }

  /** Resolves when nothing of it is left. */
  async discard(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    await this.group.then(
      (group) => group.remove(),
      () => {},
    );
  }

  async #enter(cgroups: Cgroups): Promise<SandboxCgroup> {
    const group = await cgroups.create(this.id);
    try {
      if (this.child.pid !== undefined) await group.add(this.child.pid);
      return group;
    } catch (cause) {
      await group.remove();
      throw cause;
    }
  }
}

export class SandboxStarts {
  readonly #cgroups: Cgroups;
  #waiting: SandboxStart | undefined;
  #nextId = newId('sb');
  #closed = false;

  constructor(cgroups: Cgroups) {
    this.#cgroups = cgroups;
  }

  /** What `take` gives next has this id. */
  get nextId(): string {
    return this.#waiting?.id ?? this.#nextId;
  }

  /** Whoever takes it has it become a sandbox, or discards it. */
  take(): SandboxStart {
    const start = this.#waiting ?? this.#start();
    this.#waiting = undefined;
    return start;
  }

  /** Has one wait for the next sandbox. */
  prepare(): void {
    if (this.#closed || this.#waiting !== undefined) return;
    const start = this.#start();
    this.#waiting = start;
    void start.ended.then(() => {
      if (this.#waiting !== start) return;
      this.#waiting = undefined;
      void start.discard();
    });
  }

  prepareSoon(): void {
    setTimeout(() => this.prepare(), PREPARE_MS).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    await waiting?.discard();
  }

  #start(): SandboxStart {
    const start = new SandboxStart(this.#nextId, this.#cgroups);
    this.#nextId = newId('sb');
    return start;
  }
}

function endOf(child: ChildProcess): Promise<Error> {
  const complaints: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk));
  return new Promise((resolve) => {
    child.once('error', resolve);
    // Not on `close`: a child whose channel was closed from here has none.
    child.once('exit', (code) => {
      const explain = () => {
        const text = Buffer.concat(complaints).toString('utf8').trim();
        resolve(new SandboxStartError(`The sandbox's start ended with code ${code}: ${text}`));
      };
      if (child.stderr === null || child.stderr.closed) explain();
      else child.stderr.once('close', explain);
    });
  });
}
