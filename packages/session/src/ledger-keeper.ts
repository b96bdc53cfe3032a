// Keeps the tenant's ledger right: each bill of the log becomes a line of it, under the id of its event. Read off the log
// from where it was last known to be right, so that nothing is lost with a process, and nothing counts twice.
import type { Logger } from '@capstan/shared/logger';
import { Backoff, type BackoffPorts } from './backoff.ts';
import type { LoggedEntry } from './entry.ts';
import { readEntries } from './log-reader.ts';
import type { EventLog, Ledger, LedgerLine } from './ports.ts';
import type { SessionSpec } from './spec.ts';
import { agentOf } from './thread.ts';

interface KeeperPorts extends BackoffPorts {
  log: EventLog;
  ledger: Ledger;
  logger: Logger;
}

interface Session {
  spec: SessionSpec;
  /** The place of a thread's agent in the roster; null: the session's own. */
  memberOf(threadId: string | undefined): number | null;
}

/** Lines of one write. */
const BATCH = 200;
/** Later lines go the same way as earlier ones. */
const LINES = 'lines';

export class LedgerKeeper {
  #ports: KeeperPorts;
  #session: Session;
  #settled: () => void;
  /** Everything up to here has to be in the ledger. */
  #wanted = 0;
  #working = false;
  #backoff: Backoff;

  /** `settled` is called whenever the ledger is right, or a write has failed. */
  constructor(ports: KeeperPorts, session: Session, settled: () => void) {
    this.#ports = ports;
    this.#session = session;
    this.#settled = settled;
    this.#backoff = new Backoff(ports, 'ledger');
  }

  /** When it is tried again, epoch ms; null: nothing waits for that. */
  get retryAt(): number | null {
    return this.#backoff.until;
  }

  get done(): boolean {
    return this.#mark() >= this.#wanted;
  }

  /** There may be bills up to that log position: the row's next write takes them along. */
  owe(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
  }

  /** Records what is owed, up to that log position too. */
  keep(seq = 0): void {
    this.owe(seq);
    if (this.#working || this.done || !this.#backoff.allows(LINES)) return;
    this.#working = true;
    this.#work()
      // The alarm stays armed and a later look at the session tries again.
      .catch((error: unknown) => {
        this.#backoff.failed(LINES);
        this.#settled();
        this.#ports.logger.warn('ledger.record_failed', { cause: String(error) });
      })
      .finally(() => {
        this.#working = false;
      });
  }

  /** Lines up to a log position that are not known to be recorded; as many as one write carries. */
  async lines(upTo: number): Promise<{ lines: LedgerLine[]; upTo: number }> {
    const lines: LedgerLine[] = [];
    let at = this.#mark();
    if (at < upTo) {
      for await (const entry of readEntries(this.#ports.log, at)) {
        if (entry.seq > upTo) break;
        const line = this.#lineOf(entry);
        if (line) lines.push(line);
        at = entry.seq;
        if (lines.length >= BATCH) break;
      }
    }
    return { lines, upTo: at };
  }

  /** The ledger has everything up to there. */
  recorded(upTo: number): void {
    if (upTo > this.#mark()) this.#ports.marks.set('billed', String(upTo));
  }

  async #work(): Promise<void> {
    for (let read = true; read && !this.done; ) {
      const before = this.#mark();
      const { lines, upTo } = await this.lines(Number.POSITIVE_INFINITY);
      if (lines.length > 0) await this.#ports.ledger.record(lines);
      this.recorded(upTo);
      read = upTo > before;
    }
    this.#backoff.worked();
    this.#settled();
  }

  #mark(): number {
    return Number(this.#ports.marks.get('billed') ?? 0);
  }

  #lineOf({ event, note }: LoggedEntry): LedgerLine | null {
    if (!note?.bill || event.processed_at === null) return null;
    const { spec } = this.#session;
    const { id, version } = agentOf(spec, { member: this.#session.memberOf(note.thread) });
    return {
      ...note.bill,
      eventId: event.id,
      threadId: note.thread ?? spec.threadId,
      agent: { id, version },
      at: Date.parse(event.processed_at),
    };
  }
}
