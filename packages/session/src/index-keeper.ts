// Keeps the session's row in the control plane right. The row is owed until its write is confirmed; writing it twice is
// harmless (M3). Never part of a turn's path: a slow control plane does not slow a session down.
import type { Announcement } from '@capstan/schema/webhook-events';
import type { Logger } from '@capstan/shared/logger';
import { Backoff, type BackoffPorts } from './backoff.ts';
import type { LedgerLine, SessionIndex } from './ports.ts';
import type { SessionView } from './service.ts';

interface Wanted {
  row: SessionView;
  seq: number;
}

/** What goes with the row, so that a session that begins to work or comes to rest is one write. */
interface Reports<Line> {
  /** Lines up to a log position that are not known to be reported; as many as one write carries. */
  lines(upTo: number): Promise<{ lines: Line[]; upTo: number }>;
  recorded(upTo: number, remember: boolean): void;
}

interface KeeperPorts extends BackoffPorts {
  index: SessionIndex;
  bills: Reports<LedgerLine>;
  announcements: Reports<Announcement>;
  logger: Logger;
}

export class IndexKeeper {
  #ports: KeeperPorts;
  #settled: () => void;
  #wanted: Wanted | null = null;
  /** What the row is known to show; null when nothing is, e.g. after a write whose answer was lost. */
  #shown: string | null = null;
  #writing = false;
  #backoff: Backoff;

  /** `settled` is called whenever a write is confirmed, or has failed. */
  constructor(ports: KeeperPorts, settled: () => void) {
    this.#ports = ports;
    this.#settled = settled;
    this.#backoff = new Backoff(ports, 'index');
  }

  get confirmed(): boolean {
    return this.#wanted === null;
  }

  /** When it is tried again, epoch ms; null: nothing waits for that. */
  get retryAt(): number | null {
    return this.#backoff.until;
  }

  keep(row: SessionView, seq: number): void {
    const wanted = { row, seq };
    const known =
      this.#shown === null ? this.#ports.index.confirmedSeq() >= seq : this.#shown === keyOf(wanted);
    if (known && !this.#writing) {
      this.#wanted = null;
      return;
    }
    this.#wanted = wanted;
    if (!this.#writing && this.#backoff.allows(keyOf(wanted))) void this.#write();
  }

  /** While the session works, what is known of it is worth no write of its own: another process tells it once more. */
  async #put({ row, seq }: Wanted): Promise<void> {
    const { index, bills, announcements } = this.#ports;
    const resting = isResting(row);
    const billed = resting ? await bills.lines(seq) : null;
    const told = await announcements.lines(seq);
    await index.put(row, seq, { bills: billed?.lines ?? [], announcements: told.lines });
    if (billed !== null) bills.recorded(billed.upTo, true);
    announcements.recorded(told.upTo, resting);
  }

  async #write(): Promise<void> {
    this.#writing = true;
    let tried = '';
    try {
      while (this.#wanted !== null) {
        const wanted: Wanted = this.#wanted;
        tried = keyOf(wanted);
        await this.#put(wanted);
        this.#backoff.worked();
        this.#shown = tried;
        if (this.#wanted === wanted || keyOf(this.#wanted) === this.#shown) this.#wanted = null;
      }
      this.#settled();
    } catch (error) {
      // Still wanted: the alarm stays armed and a later look at the session tries again. It may have been written.
      this.#shown = null;
      this.#backoff.failed(tried);
      this.#settled();
      this.#ports.logger.warn('session_index.put_failed', describe(error));
    } finally {
      this.#writing = false;
    }
  }
}

function isResting({ status }: SessionView): boolean {
  return status === 'idle' || status === 'terminated';
}

/** While a session works, only what lists filter by is worth a write; at rest its row shows all that is true. */
function keyOf({ row, seq }: Wanted): string {
  return isResting(row) ? `${row.status} ${seq}` : row.status;
}

function describe(error: unknown): { cause: string } {
  return { cause: error instanceof Error ? `${error.name}: ${error.message}` : typeof error };
}
