// What the network refused while a command ran, as a note for whoever reads its result: programs seldom pass on why they could
// not connect. It informs and decides nothing, so a failure to ask, or to be answered soon, is silent. What was refused after a
// command had ended, to what it left running, is told with the next one.
import type { DeniedRequest, RunChunk, Sandboxes } from '@capstan/sandbox/port';
import { within } from '@capstan/shared/within';

const MAX_LINES = 5;
/** A result does not wait longer for it. */
const WAIT_MS = 2_000;

export interface RefusalWatch {
  /** Hears how the command's run ended. */
  ended(chunk: RunChunk): void;
  /** A line for each place; null when nothing was refused. Asks nobody when the run says that there was nothing. */
  lines(): Promise<string | null>;
}

export class RefusedConnections {
  #sandboxes: () => Sandboxes;
  #clock: { now(): number };
  /** The number of the last that was told, or was there when nothing new was. */
  #seen: number | null = null;

  constructor(sandboxes: () => Sandboxes, clock: { now(): number }) {
    this.#sandboxes = sandboxes;
    this.#clock = clock;
  }

  /** To be called before the command. */
  watch(sandboxId: string): RefusalWatch {
    // Their numbers are instants, of the proxy's clock.
    const after = this.#seen ?? this.#clock.now() - 1;
    let last = 0;
    return {
      ended: ({ denied = 0 }) => {
        last = denied;
      },
      lines: async () => {
        if (last > after) return this.#ask(sandboxId, after);
        this.#see(last);
        return null;
      },
    };
  }

  async #ask(sandboxId: string, after: number): Promise<string | null> {
    const nothing: DeniedRequest[] = [];
    const denied = await within(this.#sandboxes().denials({ sandboxId, after }), WAIT_MS, nothing);
    for (const { number } of denied) this.#see(number);
    const lines = new Set(denied.map(({ target, advice }) => `[Network: ${target} was refused. ${advice}]`));
    return lines.size === 0 ? null : [...lines].slice(0, MAX_LINES).join('\n');
  }

  #see(number: number): void {
    this.#seen = Math.max(this.#seen ?? 0, number);
  }
}
