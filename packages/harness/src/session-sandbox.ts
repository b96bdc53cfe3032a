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
  type KeptImage,
  type Look,
  leftImages,
  opening,
  type SandboxRecord,
} from '@capstan/sandbox/lifecycle';
import type { Sandboxes } from '@capstan/sandbox/port';
import * as changes from '@capstan/sandbox/record-changes';
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import type { Exposed, Holding, LentSnapshot, Rest } from '@capstan/session/harness';
import { runsSomething } from './background.ts';
import { persist } from './persistence.ts';
import { type BootDeps, SandboxBoot } from './sandbox-boot.ts';
import { writeManifest } from './snapshot-manifest.ts';

/** Where a session remembers its sandbox. Both are done at once, and survive a crash. */
export interface SandboxFacts {
  load(): SandboxRecord;
  save(record: SandboxRecord): void;
}

/** Images that several sessions hold: known to all of them. */
export interface SnapshotSharing {
  /** From now on the session counts as a holder. May be repeated. */
  hold(imageId: string): Promise<void>;
  /** No longer. True: nobody else is one, and the image is to be deleted. May be repeated. */
  letGo(imageId: string): Promise<boolean>;
}

/** What belongs into a sandbox, and what is taken out of it. */
export interface SandboxWorkspace {
  /** Before a call: rejects only when the sandbox itself fails, with SandboxError. */
  ready(sandboxId: string): Promise<void>;
  /** Before it ends: never rejects. */
  flush(sandboxId: string): Promise<void>;
}

export interface SessionSandboxDeps extends BootDeps {
  facts: SandboxFacts;
  workspace?: SandboxWorkspace;
  sharing: SnapshotSharing;
  newId(kind: 'event' | 'snapshot'): string;
  /** How long a session is to rest before its sandbox is photographed. */
  restMs: number;
}

/** A sandbox whose replacement has failed is used as it is for this long. */
const KEEP_MS = 5 * 60_000;

export class SessionSandbox implements Holding {
  #deps: SessionSandboxDeps;
  #boot: SandboxBoot;
  /** Which sandbox answered last, and when. */
  #seen: { sandboxId: string; at: number } | null = null;
  #look: Look | null = null;
  #calls = 0;
  #keepUntil = 0;
  #rest: Rest = { since: null, upTo: null };
  #opening: Promise<string> | null = null;
  #taking: Promise<void> | null = null;
  /** Why there is no image: it is not tried again before somebody says something. */
  #failure: SandboxError | null = null;
  #changed: () => void = () => {};

  constructor(deps: SessionSandboxDeps) {
    this.#deps = deps;
    this.#boot = new SandboxBoot(deps);
  }

  /** The id of a sandbox that lives. Rejects with SandboxError when none can be had. */
  acquire(): Promise<string> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
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
    const sandboxId = await this.acquire();
    this.#calls += 1;
    this.#look = null;
    try {
      this.#change((record) => changes.used(record, may));
      await this.#deps.workspace?.ready(sandboxId);
      const result = await work(sandboxId);
      this.seen();
      return result;
    } finally {
      this.#calls -= 1;
    }
  }

  /**
   * Beside a model call whose agent may need it: the first of a session makes it. `asked`: somebody has just said something;
   * whether it still lives is looked at anew then, by whoever needs it.
   */
  provision(asked: boolean): void {
    if (asked) {
      this.#failure = null;
      this.doubt();
    }
    if (this.#record.live !== null || this.#opening !== null || this.#failure !== null) return;
    this.prepare();
  }

  /** Gets it ready, and does not wait for it. */
  prepare(): void {
    const ready = this.acquire().then((sandboxId) => this.#deps.workspace?.ready(sandboxId));
    ready.catch((error: unknown) =>
      this.#deps.logger.warn('sandbox.prepare_failed', { message: String(error) }),
    );
  }

  prewarm(): void {
    // Refused where there are none.
    this.#deps.sandboxes();
    this.#failure = null;
    this.prepare();
  }

  async expose(port: number): Promise<Exposed | null> {
    const sandboxId = this.last();
    if (sandboxId === null) return null;
    try {
      return await persist(() => this.#sandboxes.expose({ sandboxId, port }));
    } catch (error) {
      if (isLost(error)) return null;
      throw error;
    }
  }

  /** The sandbox the session has used, alive or not; null when it never had one. */
  last(): string | null {
    return this.#record.live?.sandboxId ?? null;
  }

  /** Whether a call may have been made in a sandbox before this one. */
  precedes(effectId: string): boolean {
    const { madeAfter = null } = this.#record.live ?? {};
    return madeAfter !== null && effectId <= madeAfter;
  }

  async isAlive(sandboxId: string): Promise<boolean> {
    try {
      const status = await persist(() => this.#sandboxes.status(sandboxId));
      if (status.state !== 'running') return false;
      this.#change((record) => changes.seen(record, sandboxId, status.expiresAt));
      return true;
    } catch (error) {
      if (isLost(error)) return false;
      throw error;
    }
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
    if (this.#record.taking !== null) await this.#take(false).catch(unlessAway);
    const { live } = this.#record;
    if (live !== null) {
      await this.#deps.workspace?.flush(live.sandboxId);
      await persist(() => this.#sandboxes.terminate(live.sandboxId));
      this.#change(changes.givenBack);
    }
    for (const image of leftImages(this.#record)) await this.#letGo(image);
    this.#change((record) => ({ ...record, taking: null }));
  }

  follow(rest: Rest): void {
    this.#rest = rest;
  }

  careAt(): number | null {
    const next = care(this.#record, this.#caring());
    return next.do === 'wait' ? next.until : this.#deps.clock.now();
  }

  async care(): Promise<void> {
    for (;;) {
      const next = care(this.#record, this.#caring());
      if (next.do === 'wait') return;
      if (next.do === 'discard') await this.#letGo(next.image);
      else if (next.do === 'look') await this.#lookInto();
      else await this.#take(this.#look?.running ?? false);
    }
  }

  news(): readonly SandboxNews[] {
    return this.#record.news;
  }

  told(newsId: string): void {
    this.#change((record) => changes.told(record, newsId));
  }

  watch(changed: () => void): void {
    this.#changed = changed;
  }

  snapshot(): Pick<LentSnapshot, 'upTo'> | null {
    return this.#record.snapshot;
  }

  async lend(): Promise<LentSnapshot | null> {
    const { snapshot } = this.#record;
    if (snapshot === null) return null;
    const { imageId } = snapshot;
    // First of all: from here on it is not let go before somebody else can hold it.
    this.#change((record) => changes.lent(record, imageId, this.#deps.clock.now()));
    await this.#deps.sharing.hold(imageId);
    const { snapshotId, takenAt, upTo, marked } = snapshot;
    return { imageId, snapshotId, takenAt, upTo, marked };
  }

  get #sandboxes(): Sandboxes {
    return this.#deps.sandboxes();
  }

  get #record(): SandboxRecord {
    return this.#deps.facts.load();
  }

  /** At once: nothing else can change the record in between. */
  #change(next: (record: SandboxRecord) => SandboxRecord): void {
    const before = this.#record;
    const after = next(before);
    if (after !== before) this.#deps.facts.save(after);
  }

  #sight() {
    const now = this.#deps.clock.now();
    const mine = this.#seen?.sandboxId === this.last();
    return {
      now,
      seenAt: mine ? (this.#seen?.at ?? null) : null,
      calls: this.#calls,
      look: this.#look,
      keep: now < this.#keepUntil,
    };
  }

  #caring() {
    const { clock, restMs } = this.#deps;
    return { now: clock.now(), restsSince: this.#rest.since, restMs, look: this.#look };
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
      else await this.#take(false);
    }
  }

  async #check(sandboxId: string): Promise<void> {
    if (await this.isAlive(sandboxId)) this.#seen = { sandboxId, at: this.#deps.clock.now() };
    else this.#change((record) => changes.ended(record, sandboxId));
  }

  async #make(snapshot: SandboxRecord['snapshot']): Promise<string> {
    try {
      const made = await this.#boot.make(snapshot);
      const newsId = this.#deps.newId('event');
      const { upTo } = this.#rest;
      this.#change((record) => changes.replaced(record, made, { newsId, upTo }));
      this.#seen = { sandboxId: made.sandboxId, at: this.#deps.clock.now() };
      this.#look = null;
      return made.sandboxId;
    } catch (error) {
      if (isSandboxError(error, 'image_failed')) this.#fail(error);
      throw error;
    } finally {
      this.#changed();
    }
  }

  #fail(error: SandboxError): void {
    this.#failure = error;
    const id = this.#deps.newId('event');
    this.#change((record) => changes.announced(record, { id, kind: 'image_failed', message: error.message }));
  }

  async #lookInto(): Promise<void> {
    const sandboxId = this.last();
    if (sandboxId === null) return;
    try {
      const running = await runsSomething(this.#sandboxes, sandboxId);
      this.#look = { at: this.#deps.clock.now(), running };
      if (running) this.#deps.logger.info('sandbox.background', { sandbox_id: sandboxId });
    } catch (error) {
      if (!isLost(error)) throw error;
      this.#change((record) => changes.ended(record, sandboxId));
    }
  }

  /** Ends a sandbox whose time is nearly over, once what was done in it is on a snapshot. */
  async #retire(sandboxId: string): Promise<void> {
    try {
      if (this.#record.live?.changed) await this.#take(this.#look?.running ?? false);
      // Somebody may have begun something meanwhile.
      if (this.#calls > 0 || this.#record.live?.changed) return this.#keep();
      await this.#deps.workspace?.flush(sandboxId);
      await persist(() => this.#sandboxes.terminate(sandboxId));
      this.#change((record) => changes.ended(record, sandboxId));
    } catch (error) {
      this.#deps.logger.warn('sandbox.renew_failed', { sandbox_id: sandboxId, message: String(error) });
      this.#keep();
    }
  }

  #keep(): void {
    this.#keepUntil = this.#deps.clock.now() + KEEP_MS;
  }

  /** One at a time; whoever asks while one is under way waits for that. */
  #take(running: boolean): Promise<void> {
    this.#taking ??= this.#takeOnce(running).finally(() => {
      this.#taking = null;
    });
    return this.#taking;
  }

  async #takeOnce(running: boolean): Promise<void> {
    const { logger, clock, newId } = this.#deps;
    const beganAt = clock.now();
    const { live } = this.#record;
    if (live !== null) {
      const { sandboxId } = live;
      const snapshotId = newId('snapshot');
      const { upTo } = this.#rest;
      this.#change((record) => changes.began(record, { snapshotId, sandboxId, beganAt, upTo, running }));
    }
    const { taking } = this.#record;
    if (taking === null) return;
    const { sandboxId, snapshotId } = taking;
    try {
      const marked = await writeManifest(this.#sandboxes, { sandboxId, snapshotId });
      const { imageId } = await persist(() => this.#sandboxes.snapshot({ sandboxId, snapshotId }));
      this.#change((record) => changes.took(record, { snapshotId, imageId, marked }));
      const duration_ms = clock.now() - beganAt;
      logger.info('sandbox.snapshot', { sandbox_id: sandboxId, image_id: imageId, duration_ms });
    } catch (error) {
      if (!isLost(error)) throw error;
      this.#change((record) => changes.ended(changes.notTaken(record, snapshotId), sandboxId));
    } finally {
      this.#look = null;
    }
  }

  async #letGo({ imageId, lentAt }: KeptImage): Promise<void> {
    const alone = lentAt === null || (await this.#deps.sharing.letGo(imageId));
    if (alone) await persist(() => this.#sandboxes.deleteImage(imageId));
    this.#change((record) => changes.letGo(record, imageId));
  }
}

function isLost(error: unknown): boolean {
  return isSandboxError(error, 'gone') || isSandboxError(error, 'not_found');
}

/** A sandbox that is to go need not be photographed; one that cannot be reached cannot be ended either. */
function unlessAway(error: unknown): void {
  if (!isSandboxError(error) || error.code === 'unavailable' || error.code === 'timeout') throw error;
}
