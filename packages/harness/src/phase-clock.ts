// How long the phases of a sandbox's boot take.
import type { Phase } from '@capstan/sandbox/boot';

export class PhaseClock {
  #clock: { now(): number };
  #phases: Phase[] = [];

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  /** Does the work; a phase that fails has taken its time too. */
  async time<T>(phase: Pick<Phase, 'name' | 'url'>, work: () => Promise<T>): Promise<T> {
    const beganAt = this.#clock.now();
    try {
      return await work();
    } finally {
      this.#phases.push({ ...phase, beganAt, endedAt: this.#clock.now() });
    }
  }

  /** Those that have ended, once. */
  take(): Phase[] {
    return this.#phases.splice(0);
  }
}
