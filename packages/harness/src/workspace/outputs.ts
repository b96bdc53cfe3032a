// What agents leave in the outputs directory becomes files of their session, while they work and beside it.
//   O1 A file is kept when it is complete: unchanged for a moment, by the sandbox's own clock. Changed later, it is kept
//      again, as another file.
//   O2 The directory is looked at after each tool call, and for as long as what one has begun still runs.
//   O3 Nothing here fails a tool call or delays one.
//   O4 That there may be something to keep is written down before a call begins, and that there is nothing more after it:
//      whoever wakes after a death looks.
//   O5 What is not kept is named, with the reason, in a note to who left it.
import { isSandboxError } from '@capstan/sandbox/error';
import { OUTPUTS, type Sandboxes } from '@capstan/sandbox/port';
import { MAX_FILE_BYTES } from '@capstan/schema/files';
import type { Logger } from '@capstan/shared/logger';
import { z } from 'zod';
import { isLost } from '../lost.ts';
import { inBatches, readOutput, readTogether } from './output-read.ts';
import { type FoundOutput, MAX_OUTPUTS, scanOutputs } from './output-scan.ts';
import type { SessionFiles, WorkspaceRecord } from './session-files.ts';

export interface OutputDeps {
  sandboxes: () => Sandboxes;
  files: Pick<SessionFiles, 'keep'>;
  record: WorkspaceRecord;
  logger: Logger;
  clock: { now(): number };
  /** Directories that are looked at in passing, and who is told when they may have changed. */
  beside?: { paths: readonly string[]; see(sandboxId: string, print: string): Promise<void> };
}

/** Unchanged for this long, a file is complete. */
const SETTLED_MS = 400;
/** Between two looks at a directory in which something happens. */
const PAUSE_MS = 600;
/** What runs on is watched for this long after the last tool call. */
const WATCHED_MS = 30 * 60_000;
/** What one session may leave. */
const MAX_KEPT = 1_000;
/** Batches wait for one another's round trips otherwise. */
const AT_ONCE = 6;
/** The log has all of them. */
const MOST_NOTES = 20;

const kept = z.record(z.string(), z.string());

export class Outputs {
  #deps: OutputDeps;
  /** By path, the signature of what was kept last. */
  #kept: Map<string, string> | null = null;
  #looking: Promise<void> | null = null;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #calledAt = Number.NEGATIVE_INFINITY;
  #ended = true;
  #notes: string[] = [];
  /** What was said of what, once. */
  #told = new Set<string>();

  constructor(deps: OutputDeps) {
    this.#deps = deps;
  }

  /** While a tool call works, and with `ended` after it: looks, and looks on while something happens. Never awaited. */
  watch(sandboxId: string, { ended }: { ended: boolean }): void {
    if (!this.#isOwed()) this.#deps.record.save('outputs_owed', 'owed');
    this.#ended = ended;
    this.#calledAt = this.#deps.clock.now();
    this.#soon(sandboxId, ended ? 0 : PAUSE_MS);
  }

  /** Whether something may have been left that nobody looks for any more. */
  owes(): boolean {
    return this.#isOwed() && this.#timer === null && this.#looking === null;
  }

  /** Looks for what a process that died has left to be looked for. Never awaited. */
  resume(sandboxId: string): void {
    if (this.owes()) this.watch(sandboxId, { ended: true });
  }

  /** Looks for it, and waits for that. Rejects when it cannot now; what a sandbox that has ended took along never can. */
  async pay(sandboxId: string): Promise<void> {
    if (!this.owes()) return;
    try {
      const { more } = await this.#look(sandboxId, SETTLED_MS);
      if (more) this.watch(sandboxId, { ended: true });
    } catch (error) {
      if (!isLost(error)) throw error;
    }
    if (this.owes()) this.#deps.record.save('outputs_owed', 'paid');
  }

  /** For the agent; once. */
  takeNotes(): string[] {
    return this.#notes.splice(0);
  }

  /** One last look, at everything that is there: before the sandbox goes. */
  async flush(sandboxId: string): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#looking;
    await this.#look(sandboxId, 0).catch((error: unknown) => this.#tell(error));
  }

  #soon(sandboxId: string, afterMs: number): void {
    if (this.#timer !== null) {
      if (afterMs > 0) return;
      clearTimeout(this.#timer);
    }
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#looking !== null) {
        this.#again = true;
        return;
      }
      this.#looking = this.#turn(sandboxId).finally(() => {
        this.#looking = null;
      });
    }, afterMs);
  }

  async #turn(sandboxId: string): Promise<void> {
    try {
      do {
        this.#again = false;
        const { more, print } = await this.#look(sandboxId, SETTLED_MS);
        if (print !== '') await this.#deps.beside?.see(sandboxId, print);
        if (more && this.#deps.clock.now() - this.#calledAt < WATCHED_MS) this.#soon(sandboxId, PAUSE_MS);
        else if (this.#ended && !this.#again && this.#timer === null)
          this.#deps.record.save('outputs_owed', 'paid');
      } while (this.#again);
    } catch (error) {
      this.#tell(error);
    }
  }

  #isOwed(): boolean {
    return this.#deps.record.load('outputs_owed') === 'owed';
  }

  /** Keeps what has been unchanged for `settledMs`. `more`: there may be more before long. */
  async #look(sandboxId: string, settledMs: number): Promise<{ more: boolean; print: string }> {
    const { sandboxes, beside } = this.#deps;
    const found = await scanOutputs(sandboxes(), sandboxId, beside?.paths);
    const { outputs, truncated, busy, print } = found;
    if (truncated) this.#tellOfMore();
    const before = this.#load();
    const changed = outputs.filter(({ path, signature }) => before.get(path) !== signature);
    // A clock that jumped makes a file young, or of the future, for long: what is that old by both is complete.
    const complete = changed.filter(({ ageMs }) => ageMs >= settledMs || ageMs < -PAUSE_MS);
    const waiting = inBatches(this.#within(complete)).values();
    let left = changed.length - complete.length;
    const keep = async () => {
      for (const batch of waiting) {
        const others = await this.#keep(sandboxId, batch);
        left += others;
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, keep));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return { more: busy || left > 0, print };
  }

  /** Those of them that are not beyond what may be kept. */
  #within(complete: readonly FoundOutput[]): FoundOutput[] {
    const before = this.#load();
    let room = MAX_KEPT - before.size;
    return complete.filter((output) => {
      const isNew = !before.has(output.path);
      const why = reasonAgainst(output) ?? (isNew && room <= 0 ? TOO_MANY : null);
      if (why !== null) this.#refuse(output, why);
      else if (isNew) room -= 1;
      return why === null;
    });
  }

  /** It is not kept as long as it stays as it is. */
  #refuse({ path, signature, sizeBytes }: FoundOutput, why: string): void {
    this.#deps.logger.warn('output.not_kept', { size_bytes: sizeBytes, why });
    this.#remember([{ path, signature }]);
    this.#note(`${OUTPUTS}/${path} is not kept as a file of the session: ${why}.`);
  }

  #tellOfMore(): void {
    this.#deps.logger.warn('outputs.truncated', {});
    this.#note(
      `${OUTPUTS} has more than ${MAX_OUTPUTS} files; not all of them are kept as files of the session.`,
    );
  }

  #note(text: string): void {
    if (this.#told.has(text) || this.#notes.length >= MOST_NOTES) return;
    this.#told.add(text);
    this.#notes.push(`Note: ${text}`);
  }

  /** How many of them are not what they were, and are looked at again. */
  async #keep(sandboxId: string, batch: readonly FoundOutput[]): Promise<number> {
    const { sandboxes, files } = this.#deps;
    const read = await readTogether(sandboxes(), sandboxId, batch);
    if (read.size > 0) {
      await files.keep([...read].map(([{ path }, bytes]) => ({ path, content: piecesOf(bytes) })));
      this.#remember([...read.keys()]);
    }
    let left = 0;
    for (const output of batch)
      if (!read.has(output) && !(await this.#keepAlone(sandboxId, output))) left += 1;
    return left;
  }

  /** False: it is not what it was. */
  async #keepAlone(sandboxId: string, output: FoundOutput): Promise<boolean> {
    const { sandboxes, files } = this.#deps;
    try {
      await files.keep([{ path: output.path, content: readOutput(sandboxes(), sandboxId, output) }]);
    } catch (error) {
      if (isSandboxError(error, 'file_not_found')) return false;
      throw error;
    }
    this.#remember([output]);
    return true;
  }

  #load(): Map<string, string> {
    const text = this.#kept === null ? this.#deps.record.load('outputs') : null;
    this.#kept ??= new Map(Object.entries(text === null ? {} : kept.parse(JSON.parse(text))));
    return this.#kept;
  }

  #remember(outputs: readonly Pick<FoundOutput, 'path' | 'signature'>[]): void {
    const all = this.#load();
    for (const { path, signature } of outputs) all.set(path, signature);
    this.#deps.record.save('outputs', JSON.stringify(Object.fromEntries(all)));
  }

  #tell(error: unknown): void {
    // A sandbox that has ended took along what nobody had looked at.
    if (isLost(error)) return;
    this.#deps.logger.warn('outputs.not_looked_at', { cause: error instanceof Error ? error.message : '' });
  }
}

const TOO_MANY = `the session has kept ${MAX_KEPT} of them`;

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** Null: nothing speaks against keeping it. */
function reasonAgainst({ path, sizeBytes }: FoundOutput): string | null {
  if (sizeBytes > MAX_FILE_BYTES) return 'it has more than 500 MiB';
  return path.includes('\ufffd') ? 'its name is not UTF-8' : null;
}
