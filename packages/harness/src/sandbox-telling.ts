// What is to be told of a session's sandbox: kept in its record until the log has it, so that no death loses it.
//   T1 A boot is told when its sandbox is first used: of one that nobody needed, nothing is said.
import * as changes from '@capstan/sandbox/record-changes';
import type { Happening, SandboxNews } from '@capstan/schema/sandbox-news';
import type { RecordBook } from './record-book.ts';
import type { SandboxWorkspace } from './sandbox-workspace.ts';

export interface TellingDeps {
  workspace?: SandboxWorkspace;
  newId: (kind: 'event') => string;
}

export class SandboxTelling {
  #deps: TellingDeps;
  #book: RecordBook;
  #changed: () => void = () => {};

  constructor(deps: TellingDeps, book: RecordBook) {
    this.#deps = deps;
    this.#book = book;
  }

  announce(happening: Happening): void {
    const id = this.#deps.newId('event');
    this.#book.change((record) => changes.announced(record, { id, ...happening }));
    this.#changed();
  }

  /** What belongs into the sandbox is there, and what could not be brought is told. Rejects as `SandboxWorkspace.ready` does. */
  async fill(sandboxId: string): Promise<void> {
    const { workspace } = this.#deps;
    try {
      await workspace?.ready(sandboxId);
    } catch (error) {
      // It is brought again, in phases of its own.
      workspace?.takePhases();
      throw error;
    }
    const phases = workspace?.takePhases() ?? [];
    this.#book.change((record) => changes.filled(record, sandboxId, phases));
    for (const trouble of workspace?.takeTroubles() ?? []) this.announce(trouble);
  }

  /** A call is about to use it. */
  entered(): void {
    if (!this.#book.record.boot) return;
    const id = this.#deps.newId('event');
    this.#book.change((record) => changes.entered(record, id));
    this.#changed();
  }

  news(): readonly SandboxNews[] {
    return this.#book.record.news;
  }

  told(newsId: string): void {
    this.#book.change((record) => changes.told(record, newsId));
  }

  watch(changed: () => void): void {
    this.#changed = changed;
  }

  /** There is something new, or nothing more to wait for. */
  notify(): void {
    this.#changed();
  }
}
