// Program: one child process under supervision. Guarantees:
// P1 it leads its own process group, and no member of the group outlives `stop`, its leader's death or a restart;
// P2 after a death it is started again, each time later, until it stays up; every death and return is told;
// P3 it comes back with what it announced first (its port), so that programs that know its address keep it.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, lstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Fault } from './fault.ts';
import { groupIsAlive, markOf, type ProcessMark, signalGroup } from './process-table.ts';

export type ProgramPlan = {
  name: string;
  /** Node program to run, absolute. */
  file: string;
  nodeFlags?: string[];
  /** Environment; `announced` is what it announced first, absent at its first start. */
  env: (announced?: Announcement) => Record<string, string>;
  /** Event whose line on standard output says that it is ready. */
  readyEvent: string;
  readyWithinMs: number;
  logFile: string;
};

/** The fields of a program's ready line. */
export type Announcement = Record<string, unknown> & { url: string };

export type Supervision = {
  /** Tells the developer; one line. */
  tell: (line: string) => void;
  /** Called whenever the set of running processes changed. */
  changed: () => void;
  /** Wait before restart number `attempt`, from 1. */
  backoffMs: (attempt: number) => number;
  /** A program that stayed up this long starts again with the shortest wait. */
  steadyAfterMs: number;
};

export const SUPERVISION: Omit<Supervision, 'tell' | 'changed'> = {
  backoffMs: (attempt) => Math.min(500 * 2 ** (attempt - 1), 15_000),
  steadyAfterMs: 30_000,
};

const LEASH = fileURLToPath(new URL('./leash.ts', import.meta.url));
const STOP_GRACE_MS = 3_000;

export class Program {
  readonly #plan: ProgramPlan;
  readonly #supervision: Supervision;
  #child: ChildProcess | undefined;
  #mark: ProcessMark | undefined;
  #announced: Announcement | undefined;
  #stopping = false;
  #deaths = 0;
  #startedAt = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(plan: ProgramPlan, supervision: Supervision) {
    this.#plan = plan;
    this.#supervision = supervision;
  }

  get name(): string {
    return this.#plan.name;
  }

  /** The running process, if there is one. */
  get mark(): ProcessMark | undefined {
    return this.#mark;
  }

  /** Starts it for the first time; resolves with its ready line, or throws a Fault with the end of its log. */
  async start(): Promise<Announcement> {
    rotate(this.#plan.logFile);
    this.#announced = await this.#launch();
    return this.#announced;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends the whole group, politely first; resolves when nothing of it is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (child?.pid === undefined) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const kill = setTimeout(() => signalGroup(child.pid ?? 0, 'SIGKILL'), STOP_GRACE_MS);
      await gone;
      clearTimeout(kill);
    }
    await endGroup(child.pid);
  }

  async #launch(): Promise<Announcement> {
    const log = openSync(this.#plan.logFile, 'a', 0o600);
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        ...(this.#plan.nodeFlags ?? []),
        '--import',
        LEASH,
        this.#plan.file,
      ],
      {
        detached: true,
        // Not the log itself: a program dies of what it cannot write there.
        stdio: 'pipe',
        env: { ...process.env, ...this.#plan.env(this.#announced) },
      },
    );
    this.#child = child;
    this.#mark = child.pid === undefined ? undefined : markOf(child.pid);
    this.#supervision.changed();
    // The pipe is held open and never written to: its closing is what the leash feels.
    child.stdin?.on('error', () => undefined);
    child.stderr?.on('data', (bytes: Buffer) => note(log, bytes));
    child.once('close', () => closeSync(log));
    child.once('exit', (code, signal) => this.#died(child, signal ?? `exit ${code}`));
    this.#startedAt = performance.now();
    return await this.#announcement(child, log);
  }

  #announcement(child: ChildProcess, log: number): Promise<Announcement> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        signalGroup(child.pid ?? 0, 'SIGKILL');
        reject(this.#fault(`did not get ready within ${this.#plan.readyWithinMs / 1000} s`));
      }, this.#plan.readyWithinMs);
      child.once('error', (error) => reject(this.#fault(`could not be started: ${error.message}`)));
      child.once('exit', (code, signal) => {
        clearTimeout(late);
        reject(this.#fault(`ended while starting (${signal ?? `exit ${code}`})`));
      });
      onLines(child, log, (line) => {
        const announced = announcementIn(line, this.#plan.readyEvent);
        if (announced === undefined) return;
        clearTimeout(late);
        resolve(announced);
      });
    });
  }

  #died(child: ChildProcess, how: string): void {
    this.#mark = undefined;
    this.#supervision.changed();
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    // A first start that fails is reported by `start`; only a program that once was ready is brought back.
    if (this.#stopping || this.#announced === undefined) return;
    const steady = performance.now() - this.#startedAt > this.#supervision.steadyAfterMs;
    this.#deaths = steady ? 1 : this.#deaths + 1;
    const wait = this.#supervision.backoffMs(this.#deaths);
    this.#supervision.tell(
      `${this.name} ended (${how}); starting it again in ${wait / 1000} s. Log: ${this.#plan.logFile}`,
    );
    this.#retry = setTimeout(() => void this.#revive(), wait);
  }

  async #revive(): Promise<void> {
    try {
      await this.#launch();
      this.#supervision.tell(`${this.name} is back.`);
    } catch {
      // Its death was told and scheduled by #died already.
    }
  }

  #fault(what: string): Fault {
    return new Fault(`${this.name} ${what}.`, `See ${this.#plan.logFile}`);
  }
}

function announcementIn(line: string, event: string): Announcement | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isAnnouncement(value) && value.event === event ? value : undefined;
  } catch {
    return undefined;
  }
}

function isAnnouncement(value: unknown): value is Announcement {
  return typeof value === 'object' && value !== null && 'url' in value && typeof value.url === 'string';
}

function onLines(child: ChildProcess, log: number, take: (line: string) => void): void {
  let rest = '';
  child.stdout?.setEncoding('utf8');
  child.stdout?.on('data', (text: string) => {
    note(log, text);
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
}

/** A disk without room costs lines of the log, not the platform. */
function note(log: number, said: string | Buffer): void {
  try {
    if (typeof said === 'string') writeSync(log, said);
    else writeSync(log, said);
  } catch {
    // What was not written is gone; the next line may find room.
  }
}

async function endGroup(pid: number): Promise<void> {
  signalGroup(pid, 'SIGKILL');
  const deadline = performance.now() + STOP_GRACE_MS;
  while (groupIsAlive(pid) && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

function rotate(logFile: string): void {
  if (lstatSync(logFile, { throwIfNoEntry: false })?.isFile()) renameSync(logFile, `${logFile}.1`);
}
