// Gives back what an ended session holds. Owed until it is confirmed, and harmless to do twice (M3).
import type { Logger } from '@capstan/shared/logger';
import type { Harness } from './harness.ts';

interface ReleaserPorts {
  harness: Pick<Harness, 'holds' | 'release'>;
  logger: Logger;
}

export class Releaser {
  #ports: ReleaserPorts;
  #settled: () => void;
  #releasing = false;

  /** `settled` is called when everything was given back. */
  constructor(ports: ReleaserPorts, settled: () => void) {
    this.#ports = ports;
    this.#settled = settled;
  }

  get done(): boolean {
    return !this.#ports.harness.holds();
  }

  keep(): void {
    if (this.#releasing || this.done) return;
    this.#releasing = true;
    this.#ports.harness
      .release()
      .then(
        () => this.#settled(),
        // Still held: the alarm stays armed and the next look at the session tries again.
        (error: unknown) => this.#ports.logger.warn('session.release_failed', { cause: String(error) }),
      )
      .finally(() => {
        this.#releasing = false;
      });
  }
}
