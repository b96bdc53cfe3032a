// The one sandbox of a session: made on first need, found again by whoever wakes next, photographed when the session rests,
// brought back when it has ended. Decisions are lifecycle.ts's; this does what they say, and records it.
//   B1 However many callers ask at once, the sandbox is made or checked once.
//   B2 The record says that something is done before it is done, and that it was done after: whoever dies in between leaves
//      it to be done again, and each of it may be.
//   B3 Asking where a call ran never makes a sandbox.
//   B4 Nothing here is kept that the record does not have, but what is only known of this process: a dead runtime and its
//      successor may both be at it.
import { isSandboxError, type SandboxError } from '@capstan/sandbox/error';
import {
  care,
  holdsAnything,
  type Look,
  leftImages,
  opening,
  type SandboxRecord,
} from '@capstan/sandbox/lifecycle';
import type { Sandboxes } from '@capstan/sandbox/port';
import * as changes from '@capstan/sandbox/record-changes';
import type { Happening, SandboxNews } from '@capstan/schema/sandbox-news';
import type { Exposed, Holding, LentSnapshot, Rest } from '@capstan/session/harness';
import { runsSomething } from './background.ts';
import { isLost, isWrecked, unlessAway } from './lost.ts';
import { Occupancy } from './occupancy.ts';
import { persist } from './persistence.ts';
import { RecordBook, type SandboxFacts } from './record-book.ts';
import { type BootDeps, SandboxBoot } from './sandbox-boot.ts';
import { SandboxSnapshots, type SnapshotDeps } from './sandbox-snapshots.ts';
import { SandboxTelling } from './sandbox-telling.ts';
import type { SandboxWorkspace } from './sandbox-workspace.ts';
import { Whereabouts } from './whereabouts.ts';
import { Wrecks } from './wrecks.ts';

export interface SessionSandboxDeps extends BootDeps, SnapshotDeps {
  facts: SandboxFacts;
  workspace?: SandboxWorkspace;
  /** How long a session is to rest before its sandbox is photographed. */
  restMs: number;
}

/** A sandbox whose replacement has failed is used as it is for this long. */
const KEEP_MS = 5 * 60_000;

export class SessionSandbox implements Holding {
  #deps: SessionSandboxDeps;
  #book: RecordBook;
  #boot: SandboxBoot;
  #snapshots: SandboxSnapshots;
  /** Which sandbox answered last, and when. */
  #seen: { sandboxId: string; at: number } | null = null;
  #look: Look | null = null;
  #occupancy: Occupancy;
  #keepUntil = 0;
  #wanted = false;
  #rest: Rest = { since: null, upTo: null };
  #opening: Promise<string> | null = null;
  /** Why none can be made: it is not tried again before somebody says something. */
  #failure: SandboxError | null = null;
  #wrecks: Wrecks;
  #whereabouts: Whereabouts;
  #telling: SandboxTelling;

  constructor(deps: SessionSandboxDeps) {
    this.#deps = deps;
    this.#occupancy = new Occupancy(deps.clock);
    this.#book = new RecordBook(deps.facts);
    this.#boot = new SandboxBoot(deps);
    this.#telling = new SandboxTelling(deps, this.#book);
    this.#wrecks = new Wrecks(deps, this.#book);
    this.#whereabouts = new Whereabouts(deps, this.#book);
    this.#snapshots = new SandboxSnapshots(deps, this.#book);
  }

  /** The id of a sandbox that lives. Rejects with SandboxError when none can be had. */
  acquire(): Promise<string> {
    const failure = this.#failure ?? this.#wrecks.failure;
    if (failure !== null) return Promise.reject(failure);
    if (this.#opening === null) {
      const next = opening(this.#record, this.#sight());
      if (next.do === 'use') return Promise.resolve(next.sandboxId);
    }
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** Does a call's work in the sandbox. `changes`: it may leave something in it. */
  async use<T>(work: (sandboxId: string) => Promise<T>, { changes: may }: { changes: boolean }): Promise<T> {
    try {
      return await this.#occupancy.stay(async () => {
        const sandboxId = await this.acquire();
        return this.attend(sandboxId, async () => {
          this.#look = null;
          this.#change((record) => changes.used(record, may));
          await this.#telling.fill(sandboxId);
          this.#telling.entered();
          const result = await work(sandboxId);
          this.seen();
          this.#wrecks.worked();
          return result;
        });
      });
    } finally {
      if (this.#occupancy.users === 0 && this.#rest.since !== null) this.#telling.notify();
    }
  }

  /** Of a sandbox that a call was sent to: it is not ended before this is done, whatever becomes of it. */
  attend<T>(sandboxId: string, work: () => Promise<T>): Promise<T> {
    return this.#occupancy.call(() => this.#wrecks.heed(sandboxId, work));
  }

  /** Somebody has just said something: what failed is tried again, and whether it still lives is looked at anew. */
  retry(): void {
    this.#failure = null;
    this.#wrecks.forgive();
    this.doubt();
  }

  /** Beside a model call whose agent may need it: the first of a session makes it. */
  provision(): void {
    const { live, spared } = this.#record;
    if (live !== null || spared || this.#opening !== null || this.#failure !== null) return;
    this.prepare();
  }

  /** Gets it ready, and does not wait for it. */
  prepare(): void {
    const filled = this.acquire().then((sandboxId) => this.#telling.fill(sandboxId));
    filled.catch((error: unknown) => this.#warn('sandbox.prepare_failed', error));
  }

  prewarm(): void {
    // Refused where there are none.
    this.#deps.sandboxes();
    this.#failure = null;
    this.#wrecks.forgive();
    // One that nobody uses is ended, unless somebody wants it.
    this.#wanted = true;
    this.#change(changes.wants);
    this.prepare();
  }

  refresh(): void {
    const filled = this.place().then(async (sandboxId) => {
      if (sandboxId !== null) await this.#telling.fill(sandboxId);
    });
    filled.catch((error: unknown) => this.#warn('sandbox.refresh_failed', error));
  }

  expose(port: number): Promise<Exposed | null> {
    return this.#whereabouts.expose(port);
  }

  work<T>(job: (sandboxId: string) => Promise<T>): Promise<T> {
    return this.use(job, { changes: true });
  }

  async place(): Promise<string | null> {
    const sandboxId = this.last();
    return sandboxId !== null && (await this.isAlive(sandboxId)) ? sandboxId : null;
  }

  /** The sandbox the session has used, alive or not; null when it never had one. */
  last(): string | null {
    return this.#whereabouts.last;
  }

  /** Whether a call may have been made in a sandbox before this one. */
  precedes(effectId: string): boolean {
    const { madeAfter = null } = this.#record.live ?? {};
    return madeAfter !== null && effectId <= madeAfter;
  }

  isAlive(sandboxId: string): Promise<boolean> {
    return this.#whereabouts.isAlive(sandboxId);
  }

  /** The sandbox answered just now. */
  seen(): void {
    if (this.#seen !== null) this.#seen.at = this.#deps.clock.now();
  }

  /** The sandbox could not be reached, or turned out to be gone: the next `acquire` asks whether it lives. */
  doubt(): void {
    this.#seen = null;
  }

  /** Also one that is being made: it is there before long. */
  holds(): boolean {
    return this.#opening !== null || holdsAnything(this.#record);
  }

  /** What was being done is waited for: after it, nothing more is made. */
  async release(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    if (this.#record.taking !== null) await this.#take().catch(unlessAway);
    const { live, making } = this.#record;
    if (live !== null) {
      await this.#deps.workspace?.flush(live.sandboxId);
      await persist(() => this.#sandboxes.terminate(live.sandboxId));
    }
    if (making) await this.#boot.unmake();
    this.#change(changes.givenBack);
    for (const image of leftImages(this.#record)) await this.#snapshots.letGo(image);
    this.#change((record) => ({ ...record, taking: null }));
  }

  follow(rest: Rest): void {
    this.#rest = rest;
    const { live } = this.#record;
    if (live !== null && !live.ended) this.#deps.workspace?.resume(live.sandboxId);
  }

  careAt(): number | null {
    if (this.#debtor !== null) return this.#deps.clock.now();
    const next = care(this.#record, this.#caring());
    return next.do === 'wait' ? next.until : this.#deps.clock.now();
  }

  async care(): Promise<void> {
    if (this.#debtor !== null) await this.#deps.workspace?.pay(this.#debtor);
    for (;;) {
      const next = care(this.#record, this.#caring());
      if (next.do === 'wait') return;
      if (next.do === 'discard') await this.#snapshots.letGo(next.image);
      else if (next.do === 'look') await this.#lookInto();
      else if (next.do === 'spare') await this.#spare(next.sandboxId);
      else if (next.do === 'end') await this.#end(next.sandboxId);
      else await this.#take();
    }
  }

  news(): readonly SandboxNews[] {
    return this.#telling.news();
  }

  /** Something else that the session works with cannot be used: the log is to say so. */
  announce(happening: Happening): void {
    this.#telling.announce(happening);
  }

  told(newsId: string): void {
    this.#telling.told(newsId);
  }

  watch(changed: () => void): void {
    this.#telling.watch(changed);
  }

  snapshot(): Pick<LentSnapshot, 'upTo'> | null {
    return this.#record.snapshot;
  }

  lend(): Promise<LentSnapshot | null> {
    return this.#snapshots.lend();
  }

  #warn(event: string, error: unknown): void {
    this.#deps.logger.warn(event, { message: String(error) });
  }

  get #sandboxes(): Sandboxes {
    return this.#deps.sandboxes();
  }

  /** The sandbox that has what is owed, while nobody works in it; null: nothing is owed. */
  get #debtor(): string | null {
    const rests = this.#occupancy.users === 0 && this.#rest.since !== null;
    return rests && this.#deps.workspace?.owes() ? this.last() : null;
  }

  get #record(): SandboxRecord {
    return this.#book.record;
  }

  #change(next: (record: SandboxRecord) => SandboxRecord): void {
    this.#book.change(next);
  }

  #sight() {
    const now = this.#deps.clock.now();
    const mine = this.#seen?.sandboxId === this.last();
    return {
      now,
      seenAt: mine ? (this.#seen?.at ?? null) : null,
      calls: this.#occupancy.calls,
      look: this.#look,
      keep: now < this.#keepUntil,
    };
  }

  #caring() {
    const { clock, restMs } = this.#deps;
    const { since } = this.#rest;
    // A person may work in it while the session rests.
    const { users, usedAt } = this.#occupancy;
    const restsSince = users > 0 || since === null ? null : Math.max(since, usedAt);
    return { now: clock.now(), restsSince, restMs, look: this.#look };
  }

  async #open(): Promise<string> {
    for (;;) {
      const next = opening(this.#record, this.#sight());
      if (next.do === 'use') return next.sandboxId;
      if (next.do === 'spawn') return this.#make(null);
      if (next.do === 'restore') return this.#make(next.snapshot);
      if (next.do === 'check') await this.#check(next.sandboxId);
      else if (next.do === 'look') await this.#lookInto();
      else if (next.do === 'renew') await this.#retire(next.sandboxId);
      else if (next.do === 'wait') await this.#occupancy.vacant();
      else if (next.do === 'end') await this.#end(next.sandboxId);
      else await this.#take();
    }
  }

  async #check(sandboxId: string): Promise<void> {
    if (await this.isAlive(sandboxId)) this.#seen = { sandboxId, at: this.#deps.clock.now() };
    else this.#change((record) => changes.ended(record, sandboxId));
  }

  async #make(snapshot: SandboxRecord['snapshot']): Promise<string> {
    const again = this.#record.making;
    this.#change(changes.makes);
    try {
      const made = await this.#boot.make(snapshot, again);
      const replacing = { newsId: this.#deps.newId('event'), upTo: this.#rest.upTo };
      this.#change((record) => changes.replaced(record, made, replacing));
      this.#boot.settle(made.sandboxId);
      this.#change((record) => changes.booted(record, made.boot));
      if (this.#wanted) this.#change(changes.wants);
      this.#wanted = false;
      this.#seen = { sandboxId: made.sandboxId, at: this.#deps.clock.now() };
      this.#look = null;
      return made.sandboxId;
    } catch (error) {
      // What the environment asks for is not to be had: nobody is asked again before somebody says something.
      if (isSandboxError(error, 'image_failed') || isSandboxError(error, 'invalid')) this.#fail(error);
      throw error;
    } finally {
      this.#telling.notify();
    }
  }

  #fail(error: SandboxError): void {
    this.#failure = error;
    this.#telling.announce({ kind: 'image_failed', message: error.message });
  }

  async #lookInto(): Promise<void> {
    const sandboxId = this.last();
    if (sandboxId === null) return;
    try {
      const running = await this.#wrecks.heed(sandboxId, () => runsSomething(this.#sandboxes, sandboxId));
      this.#look = { at: this.#deps.clock.now(), running };
      if (running) this.#deps.logger.info('sandbox.background', { sandbox_id: sandboxId });
    } catch (error) {
      if (!isLost(error)) throw error;
      if (!isWrecked(error)) this.#change((record) => changes.ended(record, sandboxId));
    }
  }

  async #end(sandboxId: string): Promise<void> {
    await this.#deps.workspace?.flush(sandboxId);
    await persist(() => this.#sandboxes.terminate(sandboxId));
    this.#change((record) => changes.ended(record, sandboxId));
  }

  /** Ends a sandbox whose time is nearly over, once what was done in it is on a snapshot. */
  async #retire(sandboxId: string): Promise<void> {
    try {
      if (this.#record.live?.changed) await this.#take();
      // Somebody may have begun something meanwhile.
      if (this.#occupancy.calls > 0 || this.#record.live?.changed) return this.#keep();
      await this.#end(sandboxId);
    } catch (error) {
      this.#deps.logger.warn('sandbox.renew_failed', { sandbox_id: sandboxId, message: String(error) });
      this.#keep();
    }
  }

  async #take(): Promise<void> {
    const { upTo } = this.#rest;
    try {
      await this.#snapshots.take({ upTo, running: this.#look?.running ?? false });
    } finally {
      this.#look = null;
    }
  }

  async #spare(sandboxId: string): Promise<void> {
    await persist(() => this.#sandboxes.terminate(sandboxId));
    this.#change((record) => changes.spared(record, sandboxId));
  }

  #keep(): void {
    this.#keepUntil = this.#deps.clock.now() + KEEP_MS;
  }
}
