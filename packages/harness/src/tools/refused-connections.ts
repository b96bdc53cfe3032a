// What the network refused while a command ran, as a note for whoever reads its result: programs seldom pass on why they could
// not connect. It informs and decides nothing, so a failure to ask, or to be answered soon, is silent.
import type { DeniedRequest, Sandboxes } from '@capstan/sandbox/port';
import { within } from '@capstan/shared/within';

const MAX_LINES = 5;
/** A result does not wait longer for it. */
const WAIT_MS = 2_000;

export class RefusedConnections {
  #sandboxes: () => Sandboxes;
  #clock: { now(): number };
  /** The number of the last that was told. */
  #told = 0;

  constructor(sandboxes: () => Sandboxes, clock: { now(): number }) {
    this.#sandboxes = sandboxes;
    this.#clock = clock;
  }

  /** To be called before the command, and what it returns after it: a line for each place; null when nothing was refused. */
  watch(sandboxId: string): () => Promise<string | null> {
    // Their numbers are instants, of the proxy's clock.
    const after = Math.max(this.#told, this.#clock.now() - 1);
    return async () => {
      const nothing: DeniedRequest[] = [];
      const denied = await within(this.#sandboxes().denials({ sandboxId, after }), WAIT_MS, nothing);
      this.#told = Math.max(this.#told, ...denied.map(({ number }) => number));
      const lines = new Set(
        denied.map(({ target, advice }) => `[Network: ${target} was refused. ${advice}]`),
      );
      return lines.size === 0 ? null : [...lines].slice(0, MAX_LINES).join('\n');
    };
  }
}
