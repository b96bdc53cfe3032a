// Where a session's record of its sandbox stands, and the one way to change it: at once, so that nothing else can have
// changed it in between.
import type { SandboxRecord } from '@capstan/sandbox/lifecycle';

/** Where a session remembers its sandbox. Both are done at once, and survive a crash. */
export interface SandboxFacts {
  load(): SandboxRecord;
  save(record: SandboxRecord): void;
}

export class RecordBook {
  #facts: SandboxFacts;

  constructor(facts: SandboxFacts) {
    this.#facts = facts;
  }

  get record(): SandboxRecord {
    return this.#facts.load();
  }

  change(next: (record: SandboxRecord) => SandboxRecord): void {
    const before = this.record;
    const after = next(before);
    if (after !== before) this.#facts.save(after);
  }
}
