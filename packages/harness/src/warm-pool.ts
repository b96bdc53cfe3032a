// One environment's warm pool: makes what is missing, looks that it lives, ends what is not wanted, and gives one to each
// session that asks. Decisions are warm-pool.ts's of the sandbox package; this does what they say, and records it.
//   W1 Between reading the record and writing it nothing is awaited: no two sessions are given one sandbox.
//   W2 One `keep` at a time, as its host's one alarm is: what is being made is not ended beside it.
//   W3 What waits reaches nothing: it is made with an empty list of hosts, and whoever claims it says its network first.
import { isSandboxError, SandboxError } from '@capstan/sandbox/error';
import type { CreateSandbox, Sandboxes, SandboxRef } from '@capstan/sandbox/port';
import * as decisions from '@capstan/sandbox/warm-pool';
import type { PoolCount } from '@capstan/schema/warm-pools';
import type { Logger } from '@capstan/shared/logger';
import { isLost } from './lost.ts';

/** Where a pool is remembered. Both are done at once, and survive a crash. */
export interface PoolBook {
  load(): decisions.PoolRecord;
  save(record: decisions.PoolRecord): void;
}

export interface PoolWish extends decisions.PoolWish {
  /** Why there is no kind; null: there is one, or it is being built. */
  trouble: string | null;
}

export interface PoolPorts {
  book: PoolBook;
  sandboxes(): Sandboxes;
  /** What is wanted now. Rejects when that cannot be known: then nothing is done. */
  wish(): Promise<PoolWish>;
  /** Wakes the pool then or before, epoch ms. */
  arm(at: number): void;
  newName(): string;
  clock: { now(): number };
  logger: Logger;
}

export interface WarmSandbox {
  sandboxId: string;
  /** It ends then, or before; epoch ms. */
  expiresAt: number;
}

/** The pool of its environment, as a session asks it. */
export interface SessionPool {
  /** One that is the session's from now on; asked again, the same one. Null: there is none of that kind. */
  claim(kind: decisions.SandboxKind): Promise<WarmSandbox | null>;
  /** Of what it was given the session keeps that one, and the rest ends; null: all of it. Durable when it resolves. */
  settle(kept: string | null): Promise<void>;
}

/** More than it takes to make as many as may be wanted; then the alarm goes on. */
const ROUNDS = 12;
const LOOK_TIMEOUT_MS = 10_000;

export class WarmPool {
  #ports: PoolPorts;
  #rings = 0;

  constructor(ports: PoolPorts) {
    this.#ports = ports;
  }

  /** What is wanted may be another than it was. */
  ring(): void {
    this.#rings += 1;
    this.#change(decisions.rung);
    this.#ports.arm(this.#now);
  }

  claim(sessionId: string, kind: decisions.SandboxKind): WarmSandbox | null {
    const { book, arm } = this.#ports;
    const before = book.load();
    const { record, entry } = decisions.claimed(before, { sessionId, kind }, this.#now);
    if (record !== before) book.save(record);
    // To have another in its place; or what is ready is of a kind that is used no more.
    arm(this.#now);
    return entry === null || entry.sandboxId === null
      ? null
      : { sandboxId: entry.sandboxId, expiresAt: entry.expiresAt };
  }

  settle(sessionId: string, kept: string | null): void {
    this.#change((record) => decisions.settled(record, { sessionId, kept }, this.#now));
    this.#ports.arm(this.#now);
  }

  count(): PoolCount {
    const { entries, lastError } = this.#ports.book.load();
    const of = (state: decisions.WarmEntry['state']) =>
      entries.filter((entry) => entry.state === state).length;
    return { ready: of('ready'), starting: of('making'), lastError };
  }

  /** Has as many as are wanted, and arms the next look. False: there is nothing left to keep, nor to remember. */
  async keep(): Promise<boolean> {
    const { book, arm, clock } = this.#ports;
    const rings = this.#rings;
    const next = await this.#rounds(ROUNDS).then(
      (wish) => decisions.nextAt(book.load(), wish, clock.now()),
      (error: unknown) => this.#fail(error),
    );
    // Whoever rang meanwhile may want what was not known yet.
    const at = rings === this.#rings ? next : clock.now();
    if (at !== null) arm(at);
    return at !== null;
  }

  #fail(error: unknown): number {
    const { book, clock, logger } = this.#ports;
    const message = error instanceof Error ? error.message : String(error);
    this.#change((record) => decisions.failed(record, message, clock.now()));
    const { failures, retryAt } = book.load();
    logger.warn('pool.failed', { failures, message });
    return retryAt ?? clock.now();
  }

  async #rounds(left: number): Promise<PoolWish> {
    const { book, clock, newName } = this.#ports;
    const wish = await this.#ports.wish();
    this.#change((record) => decisions.intended(record, wish, { now: clock.now(), newName }));
    const record = book.load();
    if (decisions.isWaiting(record, clock.now())) return wish;
    const due = decisions.duties(record, clock.now());
    const results = await Promise.allSettled(due.map((duty) => this.#fulfil(duty)));
    const refused = results.find((result) => result.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
    if (wish.trouble !== null) throw new SandboxError('image_failed', wish.trouble);
    if (due.length > 0 && left > 1) return this.#rounds(left - 1);
    this.#change(decisions.succeeded);
    return wish;
  }

  async #fulfil({ do: what, entry }: decisions.Duty): Promise<void> {
    if (what === 'make') return this.#make(entry);
    if (what === 'look') return this.#look(entry);
    return this.#end(entry);
  }

  async #make({ name, kind }: decisions.WarmEntry): Promise<void> {
    const { logger, clock } = this.#ports;
    const beganAt = clock.now();
    this.#change((record) => decisions.asked(record, name, beganAt));
    const { sandboxId, expiresAt } = await this.#create(name, kind);
    this.#change((record) => decisions.made(record, name, { sandboxId, expiresAt, now: clock.now() }));
    logger.info('pool.sandbox_ready', { sandbox_id: sandboxId, duration_ms: clock.now() - beganAt });
  }

  async #create(name: string, { imageId, cpu, memoryMiB, gpu }: decisions.SandboxKind): Promise<SandboxRef> {
    const sandboxes = this.#ports.sandboxes();
    const network = { type: 'limited' as const, allowedHosts: [] };
    const request: CreateSandbox = {
      name,
      network,
      ...(imageId === null ? {} : { imageId }),
      ...(cpu === null ? {} : { cpu }),
      ...(memoryMiB === null ? {} : { memoryMiB }),
      ...(gpu === null ? {} : { gpu }),
    };
    try {
      return await sandboxes.create({ ...request, credentials: [] });
    } catch (error) {
      // There is no egress proxy: its session could not be given any either.
      if (isSandboxError(error, 'misconfigured')) return sandboxes.create(request);
      throw error;
    }
  }

  /** A call, so that it is not ended as an idle one. */
  async #look({ name, sandboxId }: decisions.WarmEntry): Promise<void> {
    if (sandboxId === null) return;
    try {
      await this.#ports.sandboxes().exec({ sandboxId, command: ['true'], timeoutMs: LOOK_TIMEOUT_MS });
      this.#change((record) => decisions.seen(record, name, this.#now));
    } catch (error) {
      if (!isLost(error)) throw error;
      this.#change((record) => decisions.lost(record, name));
      this.#ports.logger.info('pool.sandbox_lost', { sandbox_id: sandboxId });
    }
  }

  async #end({ name, sandboxId, kept }: decisions.WarmEntry): Promise<void> {
    const sandboxes = this.#ports.sandboxes();
    const lookedAt = this.#now;
    const found = sandboxId ?? (await sandboxes.findByName(name))?.sandboxId ?? null;
    if (found !== null && found !== kept) await sandboxes.terminate(found);
    this.#change((record) => decisions.ended(record, name, lookedAt));
  }

  get #now(): number {
    return this.#ports.clock.now();
  }

  #change(next: (record: decisions.PoolRecord) => decisions.PoolRecord): void {
    const { book } = this.#ports;
    const before = book.load();
    const after = next(before);
    if (after !== before) book.save(after);
  }
}
