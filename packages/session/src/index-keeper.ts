// Keeps the session's row in the control plane right. The row is owed until its write is confirmed; writing it twice is
// harmless (M3). Never part of a turn's path: a slow control plane does not slow a session down.
import type { Logger } from '@capstan/shared/logger';
import type { SessionIndex } from './ports.ts';
import type { SessionView } from './service.ts';

interface Wanted {
  row: SessionView;
  seq: number;
}

interface KeeperPorts {
  index: SessionIndex;
  logger: Logger;
}

export class IndexKeeper {
  #ports: KeeperPorts;
  #settled: () => void;
  #wanted: Wanted | null = null;
  /** What the row is known to show; null when nothing is, e.g. after a write whose answer was lost. */
  #shown: string | null = null;
  #writing = false;

  /** `settled` is called whenever a write is confirmed. */
  constructor(ports: KeeperPorts, settled: () => void) {
    this.#ports = ports;
    this.#settled = settled;
  }

  get confirmed(): boolean {
    return this.#wanted === null;
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
    if (!this.#writing) void this.#write();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#wanted !== null) {
        const wanted: Wanted = this.#wanted;
        await this.#ports.index.put(wanted.row, wanted.seq);
        this.#shown = keyOf(wanted);
        if (this.#wanted === wanted || keyOf(this.#wanted) === this.#shown) this.#wanted = null;
      }
      this.#settled();
    } catch (error) {
      // Still wanted: the alarm stays armed and the next look at the session tries again. It may have been written.
      this.#shown = null;
      this.#ports.logger.warn('session_index.put_failed', describe(error));
    } finally {
      this.#writing = false;
    }
  }
}

/** While a session works, only what lists filter by is worth a write; at rest its row shows all that is true. */
function keyOf({ row, seq }: Wanted): string {
  const resting = row.status === 'idle' || row.status === 'terminated';
  return resting ? `${row.status} ${seq}` : row.status;
}

function describe(error: unknown): { cause: string } {
  return { cause: error instanceof Error ? `${error.name}: ${error.message}` : typeof error };
}
