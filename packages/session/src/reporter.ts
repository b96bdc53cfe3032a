// Reports to the control plane what the log tells, entry by entry: read off the log from where it was last known to be
// reported, so that nothing is lost with a process. To report something twice is harmless.
import type { Logger } from '@capstan/shared/logger';
import { Backoff, type BackoffPorts } from './backoff.ts';
import type { LoggedEntry } from './entry.ts';
import { readEntries } from './log-reader.ts';
import type { Debt, EventLog, MarkName } from './ports.ts';

export interface ReporterPorts extends BackoffPorts {
  log: EventLog;
  logger: Logger;
}

/** What is reported, and how. */
export interface Report<Line> {
  /** Where it is remembered up to where the log is reported. */
  mark: MarkName;
  debt: Debt;
  /** What a failure is logged as. */
  failure: string;
  /** What an entry says; none for most. */
  linesOf(entry: LoggedEntry): Line[];
  /** Reports all, or rejects. May be repeated. */
  record(lines: readonly Line[]): Promise<void>;
}

/** Lines of one write. */
const BATCH = 200;
/** Later lines go the same way as earlier ones. */
const LINES = 'lines';

export class Reporter<Line> {
  #ports: ReporterPorts;
  #report: Report<Line>;
  #settled: () => void;
  /** Everything up to here has to be reported. */
  #wanted = 0;
  /** Everything up to here is, as this process knows. */
  #reached = 0;
  #working = false;
  #backoff: Backoff;

  /** `settled` is called whenever everything is reported, or a write has failed. */
  constructor(ports: ReporterPorts, report: Report<Line>, settled: () => void) {
    this.#ports = ports;
    this.#report = report;
    this.#settled = settled;
    this.#backoff = new Backoff(ports, report.debt);
  }

  /** When it is tried again, epoch ms; null: nothing waits for that. */
  get retryAt(): number | null {
    return this.#backoff.until;
  }

  get done(): boolean {
    return this.#mark() >= this.#wanted;
  }

  /** There may be lines up to that log position: the row's next write takes them along. */
  owe(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
  }

  /** Reports what is owed, up to that log position too. */
  keep(seq = 0): void {
    this.owe(seq);
    if (this.#working || this.done || !this.#backoff.allows(LINES)) return;
    this.#working = true;
    this.#work()
      // The alarm stays armed and a later look at the session tries again.
      .catch((error: unknown) => {
        this.#backoff.failed(LINES);
        this.#settled();
        this.#ports.logger.warn(this.#report.failure, { cause: String(error) });
      })
      .finally(() => {
        this.#working = false;
      });
  }

  /** Lines up to a log position that are not known to be reported; as many as one write carries. */
  async lines(upTo: number): Promise<{ lines: Line[]; upTo: number }> {
    const lines: Line[] = [];
    let at = this.#mark();
    if (at < upTo) {
      for await (const entry of readEntries(this.#ports.log, at)) {
        if (entry.seq > upTo) break;
        lines.push(...this.#report.linesOf(entry));
        at = entry.seq;
        if (lines.length >= BATCH) break;
      }
    }
    return { lines, upTo: at };
  }

  /** Everything up to there is reported. What is not remembered, another process reports again. */
  recorded(upTo: number, remember = true): void {
    this.#reached = Math.max(this.#reached, upTo);
    const { marks } = this.#ports;
    const { mark } = this.#report;
    if (remember && upTo > Number(marks.get(mark) ?? 0)) marks.set(mark, String(upTo));
  }

  async #work(): Promise<void> {
    for (let read = true; read && !this.done; ) {
      const before = this.#mark();
      const { lines, upTo } = await this.lines(Number.POSITIVE_INFINITY);
      if (lines.length > 0) await this.#report.record(lines);
      this.recorded(upTo);
      read = upTo > before;
    }
    this.#backoff.worked();
    this.#settled();
  }

  #mark(): number {
    return Math.max(this.#reached, Number(this.#ports.marks.get(this.#report.mark) ?? 0));
  }
}
