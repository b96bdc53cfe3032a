// The snapshots of a session's sandbox: taken one at a time, lent to forks, let go when nobody needs them.
//   P1 A snapshot is recorded before it is asked for, under an id of its own: asked for again, it is the same one.
import type { KeptImage } from '@capstan/sandbox/lifecycle';
import type { Sandboxes } from '@capstan/sandbox/port';
import * as changes from '@capstan/sandbox/record-changes';
import type { LentSnapshot } from '@capstan/session/harness';
import type { Logger } from '@capstan/shared/logger';
import { isLost, isWrecked } from './lost.ts';
import { persist } from './persistence.ts';
import type { RecordBook } from './record-book.ts';
import { writeManifest } from './snapshot-manifest.ts';

/** Images that several sessions hold: known to all of them. */
export interface SnapshotSharing {
  /** From now on the session counts as a holder. May be repeated. */
  hold(imageId: string): Promise<void>;
  /** No longer. True: nobody else is one, and the image is to be deleted. May be repeated. */
  letGo(imageId: string): Promise<boolean>;
}

export interface SnapshotDeps {
  sandboxes: () => Sandboxes;
  sharing: SnapshotSharing;
  newId(kind: 'event' | 'snapshot'): string;
  logger: Logger;
  clock: { now(): number };
}

export interface Occasion {
  /** The last event of a tool call; null: there was none. */
  upTo: string | null;
  /** Something runs in the sandbox. */
  running: boolean;
}

export class SandboxSnapshots {
  #deps: SnapshotDeps;
  #book: RecordBook;
  #taking: Promise<void> | null = null;

  constructor(deps: SnapshotDeps, book: RecordBook) {
    this.#deps = deps;
    this.#book = book;
  }

  /** Also finishes what a dead process began. Whoever asks while one is under way waits for that. */
  take(occasion: Occasion): Promise<void> {
    this.#taking ??= this.#takeOnce(occasion).finally(() => {
      this.#taking = null;
    });
    return this.#taking;
  }

  async letGo({ imageId, lentAt }: KeptImage): Promise<void> {
    const { sharing, sandboxes } = this.#deps;
    const alone = lentAt === null || (await sharing.letGo(imageId));
    if (alone) await persist(() => sandboxes().deleteImage(imageId));
    this.#book.change((record) => changes.letGo(record, imageId));
  }

  /** Null: there is none. */
  async lend(): Promise<LentSnapshot | null> {
    const { snapshot } = this.#book.record;
    if (snapshot === null) return null;
    const { imageId, snapshotId, takenAt, upTo, marked } = snapshot;
    // First of all: from here on it is not let go before somebody else can hold it.
    this.#book.change((record) => changes.lent(record, imageId, this.#deps.clock.now()));
    await this.#deps.sharing.hold(imageId);
    return { imageId, snapshotId, takenAt, upTo, marked };
  }

  async #takeOnce(occasion: Occasion): Promise<void> {
    const { logger, clock } = this.#deps;
    const beganAt = clock.now();
    this.#begin(beganAt, occasion);
    const { taking } = this.#book.record;
    if (taking === null) return;
    const { sandboxId, snapshotId } = taking;
    try {
      const { imageId, marked } = await this.#ask(sandboxId, snapshotId);
      this.#book.change((record) => changes.took(record, { snapshotId, imageId, marked }));
      const duration_ms = clock.now() - beganAt;
      logger.info('sandbox.snapshot', { sandbox_id: sandboxId, image_id: imageId, duration_ms });
    } catch (error) {
      if (!isLost(error)) throw error;
      const over = isWrecked(error) ? changes.wrecked : changes.ended;
      this.#book.change((record) => over(changes.notTaken(record, snapshotId), sandboxId));
    }
  }

  #begin(beganAt: number, occasion: Occasion): void {
    const { live } = this.#book.record;
    if (live === null) return;
    const { sandboxId } = live;
    const snapshotId = this.#deps.newId('snapshot');
    this.#book.change((record) => changes.began(record, { snapshotId, sandboxId, beganAt, ...occasion }));
  }

  async #ask(sandboxId: string, snapshotId: string) {
    const sandboxes = this.#deps.sandboxes();
    const marked = await writeManifest(sandboxes, { sandboxId, snapshotId }).catch((error: unknown) => {
      // It has ended or was wrecked since, perhaps: of what was asked for before that, the image may still be had.
      if (isLost(error)) return true;
      throw error;
    });
    const { imageId } = await persist(() => sandboxes.snapshot({ sandboxId, snapshotId }));
    return { imageId, marked };
  }
}
