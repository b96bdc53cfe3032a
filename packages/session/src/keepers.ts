// What keeps the world in line with a session: its row, its sandbox and that one's snapshots, its ledger lines, what webhooks
// tell of it, the effects it has stopped, its offer to workers. Each is owed until it is done, and none is on a turn's path.
import { Announcer, announcementsOf } from './announcements.ts';
import { Caretaker } from './caretaker.ts';
import type { Entry } from './entry.ts';
import { IndexKeeper } from './index-keeper.ts';
import { LedgerKeeper } from './ledger-keeper.ts';
import { LEASE_MS, type Owed } from './machine.ts';
import type { Ports } from './ports.ts';
import { Releaser } from './releaser.ts';
import type { SessionSpec } from './spec.ts';
import type { State } from './state.ts';
import { Stopper } from './stopper.ts';
import { WorkKeeper } from './work-keeper.ts';

/** While a session works, its bills are recorded this many at a time. */
const BILLS = 20;

interface Session {
  spec: SessionSpec;
  state(): State;
  /** Something that was owed is done, or has failed. */
  settled(): void;
  /** Nothing is left of the session. */
  erased(): void;
}

export class Keepers {
  #spec: SessionSpec;
  #ledger: LedgerKeeper;
  #announcer: Announcer;
  #index: IndexKeeper;
  #releaser: Releaser;
  #stopper: Stopper;
  #caretaker: Caretaker;
  #work: WorkKeeper;
  #bills = 0;

  constructor(ports: Ports, { spec, state, settled, erased }: Session) {
    this.#spec = spec;
    this.#releaser = new Releaser(ports, { settled, erased });
    this.#stopper = new Stopper(ports, settled);
    this.#caretaker = new Caretaker(ports, settled);
    this.#work = new WorkKeeper(ports, settled);
    const ownerOf = (id: string | undefined) =>
      state().threads.find((thread) => thread.id === id) ?? { member: null };
    this.#ledger = new LedgerKeeper(ports, { spec, ownerOf }, settled);
    this.#announcer = new Announcer(ports, spec, settled);
    const reports = { bills: this.#ledger, announcements: this.#announcer };
    this.#index = new IndexKeeper({ ...ports, ...reports }, settled);
  }

  /** What the log has up to there may not be reported yet. */
  owe(seq: number): void {
    this.#ledger.owe(seq);
    this.#announcer.owe(seq);
  }

  /** `entries`: what was appended, up to log position `seq`. */
  keep(debt: Owed, { seq, entries }: { seq: number; entries: readonly Entry[] }): void {
    const { index, release, erase } = debt;
    if (entries.some(({ note }) => note?.bill !== undefined)) this.#bills += 1;
    if (entries.some((entry) => announcementsOf(entry, this.#spec.sessionId).length > 0))
      this.#announcer.owe(seq);
    const resting = index.status === 'idle' || index.status === 'terminated';
    if (resting && this.#bills > 0) {
      // They go with the row, which a session that is to be erased no longer has.
      this.#bills = 0;
      if (erase) this.#ledger.keep(seq);
      else this.#ledger.owe(seq);
    } else if (this.#bills >= BILLS) {
      this.#bills = 0;
      this.#ledger.keep(seq);
    } else if (!this.#ledger.done && (erase || this.#index.confirmed)) this.#ledger.keep();
    if (!erase) this.#index.keep(index, seq);
    // What the row's write does not take along.
    if (erase || this.#index.confirmed) this.#announcer.keep();
    this.#stopper.keep(debt.stop);
    this.#work.keep(debt.work);
    if (!release) this.#caretaker.keep(debt.rest);
    // What is to be reported stands in the log that is to go.
    if (release && (!erase || (this.#ledger.done && this.#announcer.done))) this.#releaser.keep(erase);
  }

  /** When the session is to be looked at again because of what is owed, epoch ms; null: nothing is. */
  due({ release, erase }: Owed, now: number): number | null {
    const open: (number | null)[] = [];
    if (!erase && !this.#index.confirmed) open.push(this.#index.retryAt);
    if (!this.#stopper.done) open.push(this.#stopper.retryAt);
    if (!this.#work.done) open.push(this.#work.retryAt);
    // As long as the row is owed, the lines go with it.
    const lines = !this.#ledger.done || this.#bills > 0;
    if (lines && (erase || this.#index.confirmed)) open.push(this.#ledger.retryAt);
    if (!this.#announcer.done && (erase || this.#index.confirmed)) open.push(this.#announcer.retryAt);
    if (erase || (release && !this.#releaser.done)) open.push(this.#releaser.retryAt);
    const due = open.map((at) => at ?? now + LEASE_MS);
    const care = release ? null : this.#caretaker.dueAt;
    if (care !== null) due.push(care);
    return due.length === 0 ? null : Math.min(...due);
  }
}
