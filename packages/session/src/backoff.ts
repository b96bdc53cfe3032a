// When something that failed is tried again: soon at first, then ever later, up to a bound, so that an outage is not met by
// every session it has left unfinished, every few seconds.
//
// 1. What was not tried yet waits for nothing, whatever failed before it.
// 2. How often it failed survives the process: a host that lets go of a session between two tries goes on from there.
import type { Debt, Marks } from './ports.ts';

export interface BackoffPorts {
  marks: Marks;
  /** Epoch ms. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
}

const FIRST_MS = 3_000;
const LONGEST_MS = 5 * 60_000;

export class Backoff {
  #ports: BackoffPorts;
  #debt: Debt;
  /** What failed last in this process, and when it may be tried again. */
  #failed: { what: string; until: number } | null = null;

  constructor(ports: BackoffPorts, debt: Debt) {
    this.#ports = ports;
    this.#debt = debt;
  }

  allows(what: string): boolean {
    return this.#failed === null || this.#failed.what !== what || this.#ports.now() >= this.#failed.until;
  }

  /** When what failed may be tried again, epoch ms; null: nothing waits for that. */
  get until(): number | null {
    const { until = 0 } = this.#failed ?? {};
    return until > this.#ports.now() ? until : null;
  }

  failed(what: string): void {
    const { now, random } = this.#ports;
    const delayMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures) * (0.75 + 0.25 * random());
    this.#failed = { what, until: now() + Math.round(delayMs) };
    this.#keep(this.#failures + 1);
  }

  worked(): void {
    this.#failed = null;
    if (this.#failures > 0) this.#keep(0);
  }

  get #failures(): number {
    return Number(this.#ports.marks.get(`${this.#debt}_failures`) ?? 0);
  }

  #keep(failures: number): void {
    this.#ports.marks.set(`${this.#debt}_failures`, String(failures));
  }
}
