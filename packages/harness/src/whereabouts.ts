// Where the sandbox of a session is, and whether it lives.
import type { Sandboxes } from '@capstan/sandbox/port';
import * as changes from '@capstan/sandbox/record-changes';
import type { Exposed } from '@capstan/session/harness';
import { isLost } from './lost.ts';
import { persist } from './persistence.ts';
import type { RecordBook } from './record-book.ts';

export class Whereabouts {
  #sandboxes: () => Sandboxes;
  #book: RecordBook;

  constructor({ sandboxes }: { sandboxes: () => Sandboxes }, book: RecordBook) {
    this.#sandboxes = sandboxes;
    this.#book = book;
  }

  /** The sandbox the session has used, alive or not; null when it never had one. */
  get last(): string | null {
    return this.#book.record.live?.sandboxId ?? null;
  }

  async isAlive(sandboxId: string): Promise<boolean> {
    try {
      const status = await persist(() => this.#sandboxes().status(sandboxId));
      if (status.state !== 'running') return false;
      this.#book.change((record) => changes.seen(record, sandboxId, status.expiresAt));
      return true;
    } catch (error) {
      if (isLost(error)) return false;
      throw error;
    }
  }

  /** Null: there is none that lives. */
  async expose(port: number): Promise<Exposed | null> {
    const sandboxId = this.last;
    if (sandboxId === null) return null;
    try {
      return await persist(() => this.#sandboxes().expose({ sandboxId, port }));
    } catch (error) {
      if (isLost(error)) return null;
      throw error;
    }
  }
}
