// Gives back what an ended session holds, and erases a deleted one. Owed until it is done, and harmless to do twice (M3).
import type { Logger } from '@capstan/shared/logger';
import { Backoff, type BackoffPorts } from './backoff.ts';
import type { Harness } from './harness.ts';
import type { SessionIndex } from './ports.ts';

interface ReleaserPorts extends BackoffPorts {
  harness: Pick<Harness, 'holds' | 'release'>;
  index: Pick<SessionIndex, 'remove'>;
  erase(): Promise<void>;
  logger: Logger;
}

export interface Ends {
  /** Everything that could be given back was, or giving it back has failed. */
  settled(): void;
  /** Nothing is left of the session. */
  erased(): void;
}

export class Releaser {
  #ports: ReleaserPorts;
  #ends: Ends;
  #working = false;
  #backoff: Backoff;

  constructor(ports: ReleaserPorts, ends: Ends) {
    this.#ports = ports;
    this.#ends = ends;
    this.#backoff = new Backoff(ports, 'release');
  }

  /** When it is tried again, epoch ms; null: nothing waits for that. */
  get retryAt(): number | null {
    return this.#backoff.until;
  }

  /** Whether nothing is held; what is to be erased is never done before the erasure itself. */
  get done(): boolean {
    return !this.#ports.harness.holds();
  }

  keep(erase: boolean): void {
    const what = erase ? 'erase' : 'release';
    if (this.#working || (this.done && !erase) || !this.#backoff.allows(what)) return;
    this.#working = true;
    this.#work(erase)
      // The alarm stays armed and a later look at the session tries again.
      .catch((error: unknown) => {
        this.#backoff.failed(what);
        this.#ends.settled();
        this.#ports.logger.warn('session.release_failed', { cause: String(error) });
      })
      .finally(() => {
        this.#working = false;
      });
  }

  /** The store goes last: as long as it is there, a process that starts anew knows what is left to do. */
  async #work(erase: boolean): Promise<void> {
    if (!this.done) await this.#ports.harness.release();
    if (!erase) {
      this.#backoff.worked();
      return this.#ends.settled();
    }
    await this.#ports.index.remove();
    await this.#ports.erase();
    this.#ends.erased();
  }
}
