// Sandboxes of a session that live and cannot be used any more: recorded by whoever comes upon it, and replaced as lost ones are.
//   W1 Only one that could be used is wrecked: one that never could be is `misconfigured`, and no other is made in its place.
//   W2 They are not replaced without end: so many in a row, and no more are made before somebody says something.
import { SandboxError } from '@capstan/sandbox/error';
import * as changes from '@capstan/sandbox/record-changes';
import type { Logger } from '@capstan/shared/logger';
import { isWrecked } from './lost.ts';
import type { RecordBook } from './record-book.ts';

/** With no call between that worked, so many are nobody's accident. */
const MAX_IN_A_ROW = 2;

export class Wrecks {
  #logger: Logger;
  #book: RecordBook;
  #inARow = 0;

  constructor({ logger }: { logger: Logger }, book: RecordBook) {
    this.#logger = logger;
    this.#book = book;
  }

  /** A call has had its outcome. */
  worked(): void {
    this.#inARow = 0;
  }

  /** Does it, and records that the sandbox cannot be used any more where that is why it failed. */
  async heed<T>(sandboxId: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isWrecked(error)) this.#note(sandboxId, error);
      throw error;
    }
  }

  /** Why no other is made; null: nothing speaks against it. */
  get failure(): SandboxError | null {
    if (this.#inARow < MAX_IN_A_ROW) return null;
    const why = `${this.#inARow} sandboxes of the session in a row could not be used`;
    return new SandboxError('misconfigured', `${why}: a message to the session tries another one`);
  }

  /** Somebody said something: one more is tried. */
  forgive(): void {
    this.#inARow = Math.min(this.#inARow, MAX_IN_A_ROW - 1);
  }

  #note(sandboxId: string, error: unknown): void {
    const { live } = this.#book.record;
    if (live?.sandboxId !== sandboxId || live.wrecked) return;
    this.#logger.warn('sandbox.wrecked', { sandbox_id: sandboxId, message: String(error) });
    this.#book.change((record) => changes.wrecked(record, sandboxId));
    this.#inARow += 1;
  }
}
