// When a session's memory directories are glanced at while calls work: when they are others than at the last glance, and the
// more seldom the more often something was brought from them, so that a file that grows for hours is not a thousand versions.
import type { MemorySync } from './memory-sync.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export interface MemoryWatchDeps {
  memories: Pick<MemorySync, 'glance'>;
  clock: { now(): number };
}

export class MemoryWatch {
  #deps: MemoryWatchDeps;
  /** The directories as they were when there was nothing to bring from them. */
  #known: string | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(deps: MemoryWatchDeps) {
    this.#deps = deps;
  }

  /** A call begins. */
  begin(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#notBefore = Number.NEGATIVE_INFINITY;
  }

  /** `print` is another one whenever a directory has changed. Never rejects. */
  async see(sandboxId: string, print: string): Promise<void> {
    const { memories, clock } = this.#deps;
    if (print === this.#known || clock.now() < this.#notBefore) return;
    const { brought, more } = await memories.glance(sandboxId);
    if (!more) this.#known = print;
    if (!brought) return;
    this.#notBefore = clock.now() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }
}
