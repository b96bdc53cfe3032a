// Looks after the sandbox of a session: photographs it when the session rests, lets superseded snapshots go. When that is due
// is computed from what the session remembers, so a process that dies leaves it to the next (M3). Never part of a turn's path.
import type { Logger } from '@capstan/shared/logger';
import { Backoff, type BackoffPorts } from './backoff.ts';
import type { Holding, Rest } from './harness.ts';
import { LEASE_MS } from './machine.ts';

interface CaretakerPorts extends BackoffPorts {
  harness: Pick<Holding, 'follow' | 'careAt' | 'care'>;
  logger: Logger;
}

export class Caretaker {
  #ports: CaretakerPorts;
  #settled: () => void;
  #working = false;
  #backoff: Backoff;

  /** `settled` is called when something was done, or could not be. */
  constructor(ports: CaretakerPorts, settled: () => void) {
    this.#ports = ports;
    this.#settled = settled;
    this.#backoff = new Backoff(ports, 'care');
  }

  /** When the session is to be looked at for its sandbox, epoch ms; null: nothing is due. */
  get dueAt(): number | null {
    const { harness, now } = this.#ports;
    if (this.#working) return now() + LEASE_MS;
    const at = harness.careAt();
    return at === null ? null : Math.max(at, this.#backoff.until ?? 0);
  }

  keep(rest: Rest): void {
    const { harness, now } = this.#ports;
    harness.follow(rest);
    const at = harness.careAt();
    const what = rest.upTo ?? '';
    if (this.#working || at === null || at > now() || !this.#backoff.allows(what)) return;
    this.#working = true;
    this.#work(what);
  }

  #work(what: string): void {
    const { harness, logger } = this.#ports;
    harness
      .care()
      .then(
        () => this.#backoff.worked(),
        (error: unknown) => {
          this.#backoff.failed(what);
          logger.warn('sandbox.care_failed', { cause: String(error) });
        },
      )
      .finally(() => {
        this.#working = false;
        this.#settled();
      });
  }
}
