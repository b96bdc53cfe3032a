// The one sandbox of a session: made on first need, found again by whoever wakes next, replaced when it has ended.
//   B1 However many callers ask at once, the sandbox is made or checked once.
//   B2 A sandbox that replaces a lost one is announced exactly once, with the next tool's outcome.
//   B3 Asking where a call ran never makes a sandbox.
import { isSandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import type { Logger } from '@capstan/shared/logger';
import { persist } from './persistence.ts';

/** Where a session remembers which sandbox is its own. */
export interface SandboxRef {
  load(): string | null;
  save(sandboxId: string): void;
  clear(): void;
}

export interface SessionSandboxDeps {
  sandboxes: Sandboxes;
  sessionId: string;
  sandboxRef: SandboxRef;
  logger: Logger;
  clock: { now(): number };
}

/** A sandbox in use within this time is not asked again whether it lives. */
const TRUSTED_MS = 60_000;

const LOST =
  "Note: the session's sandbox had ended, so a new one was started. Files, processes and shell variables from before " +
  'are gone.';

export class SessionSandbox {
  #deps: SessionSandboxDeps;
  #held: { sandboxId: string; seenAt: number } | null = null;
  #opening: Promise<string> | null = null;
  #lostNote = false;

  constructor(deps: SessionSandboxDeps) {
    this.#deps = deps;
  }

  /** The id of a sandbox that lives. Rejects with SandboxError when none can be had. */
  acquire(): Promise<string> {
    const { clock } = this.#deps;
    if (this.#held !== null && clock.now() - this.#held.seenAt < TRUSTED_MS) {
      return Promise.resolve(this.#held.sandboxId);
    }
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  /** The sandbox the session has used, alive or not; null when it never had one. */
  last(): string | null {
    return this.#held?.sandboxId ?? this.#deps.sandboxRef.load();
  }

  async isAlive(sandboxId: string): Promise<boolean> {
    try {
      return (await persist(() => this.#deps.sandboxes.status(sandboxId))).state === 'running';
    } catch (error) {
      if (isSandboxError(error, 'not_found') || isSandboxError(error, 'gone')) return false;
      throw error;
    }
  }

  /** The sandbox answered just now. */
  seen(): void {
    if (this.#held !== null) this.#held.seenAt = this.#deps.clock.now();
  }

  /** The sandbox could not be reached: the next `acquire` asks whether it lives before anything is sent to it. */
  doubt(): void {
    if (this.#held !== null) this.#held.seenAt = Number.NEGATIVE_INFINITY;
  }

  /** The sandbox turned out to be gone: the next `acquire` checks and replaces it. */
  forget(): void {
    this.#held = null;
  }

  /** Also one that is being made: it is there before long. */
  get held(): boolean {
    return this.#opening !== null || this.#deps.sandboxRef.load() !== null;
  }

  /** Ends the sandbox for good. One that is still being made is waited for. */
  async release(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const sandboxId = this.#deps.sandboxRef.load();
    if (sandboxId === null) return;
    await persist(() => this.#deps.sandboxes.terminate(sandboxId));
    this.#held = null;
    this.#deps.sandboxRef.clear();
  }

  /** What the model has to be told about the sandbox, once. */
  takeNote(): string | null {
    if (!this.#lostNote) return null;
    this.#lostNote = false;
    return LOST;
  }

  async #open(): Promise<string> {
    const { sandboxRef, clock } = this.#deps;
    const known = this.last();
    if (known !== null && (await this.isAlive(known))) {
      this.#held = { sandboxId: known, seenAt: clock.now() };
      return known;
    }
    const sandboxId = await this.#create();
    if (sandboxId !== known) sandboxRef.save(sandboxId);
    if (known !== null && sandboxId !== known) this.#lostNote = true;
    this.#held = { sandboxId, seenAt: clock.now() };
    return sandboxId;
  }

  async #create(): Promise<string> {
    const { sandboxes, sessionId, logger, clock } = this.#deps;
    const began = clock.now();
    const made = await persist(() => sandboxes.create({ name: `session-${sessionId}` }));
    logger.info('sandbox.ready', {
      sandbox_id: made.sandboxId,
      created: made.created,
      duration_ms: clock.now() - began,
    });
    return made.sandboxId;
  }
}
