// Lock: one platform per state directory. The file names its owner; an owner that died leaves no lasting claim,
// and the programs it started are ended by the next owner.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, Fault } from './fault.ts';
import { isRunning, markOf, type ProcessMark, signalGroup } from './process-table.ts';

type Claim = ProcessMark & { programs: ProcessMark[] };

export class Lock {
  readonly #path: string;
  readonly #self: ProcessMark;

  constructor(stateDir: string) {
    const self = markOf(process.pid);
    if (self === undefined)
      throw new Fault('Cannot read the start time of this process.', 'Is /proc mounted?');
    this.#path = join(stateDir, 'dev.lock');
    this.#self = self;
  }

  /** Takes the lock, or throws a Fault naming the process that holds it. */
  take(): void {
    const draft = `${this.#path}.${process.pid}`;
    writeFileSync(draft, JSON.stringify({ ...this.#self, programs: [] } satisfies Claim));
    try {
      // link(2) refuses an existing name, and the name never shows a half-written claim.
      for (let tries = 0; tries < 3; tries++) {
        if (linked(draft, this.#path)) return;
        this.#clearStale();
      }
      throw new Fault(`Another start of Capstan is using ${this.#path}.`, 'Try again in a moment.');
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /** Notes the programs this owner started, so that its successor can end them if it dies. */
  note(programs: ProcessMark[]): void {
    const draft = `${this.#path}.${process.pid}`;
    try {
      // In its place once it is whole: without room for it, what was noted before stays.
      writeFileSync(draft, JSON.stringify({ ...this.#self, programs } satisfies Claim));
      renameSync(draft, this.#path);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  release(): void {
    const claim = readClaim(this.#path);
    if (claim?.pid === this.#self.pid) rmSync(this.#path, { force: true });
  }

  #clearStale(): void {
    const claim = readClaim(this.#path);
    if (claim !== undefined && isRunning(claim))
      throw new Fault(
        `Capstan already runs on this state directory (process ${claim.pid}).`,
        `Stop it (kill ${claim.pid}), or start another with --state DIR --port N.`,
      );
    for (const program of claim?.programs ?? []) if (isRunning(program)) signalGroup(program.pid, 'SIGKILL');
    rmSync(this.#path, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function readClaim(path: string): Claim | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isClaim(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMark(value: unknown): value is ProcessMark {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'pid' in value && typeof value.pid === 'number' && 'started' in value && typeof value.started === 'string'
  );
}

function isClaim(value: unknown): value is Claim {
  return (
    isMark(value) && 'programs' in value && Array.isArray(value.programs) && value.programs.every(isMark)
  );
}
