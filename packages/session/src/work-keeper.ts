// Sees to it that a worker of the user's own is offered the session while one is needed. Owed until it is done, by the log:
// a process that dies before it got to it leaves it to the next (M3). To offer a session twice is harmless; what becomes of
// an offer is the queue's, which asks the session again when a worker is gone (work/work-queue.ts).
import type { Logger } from '@capstan/shared/logger';
import { Backoff, type BackoffPorts } from './backoff.ts';
import type { WorkOffer } from './ports.ts';

interface WorkPorts extends BackoffPorts {
  work: WorkOffer;
  logger: Logger;
}

const NOBODY = '';

export class WorkKeeper {
  #ports: WorkPorts;
  #settled: () => void;
  #wanted: string = NOBODY;
  #working = false;
  #backoff: Backoff;

  /** `settled` is called when what was owed is done, or has failed. */
  constructor(ports: WorkPorts, settled: () => void) {
    this.#ports = ports;
    this.#settled = settled;
    this.#backoff = new Backoff(ports, 'work');
  }

  /** When it is tried again, epoch ms; null: nothing waits for that. */
  get retryAt(): number | null {
    return this.#backoff.until;
  }

  get done(): boolean {
    return this.#told === this.#wanted;
  }

  /** The last call that needs a worker; null: none does. */
  keep(callId: string | null): void {
    this.#wanted = callId ?? NOBODY;
    if (this.#working || this.done || !this.#backoff.allows(this.#wanted)) return;
    this.#working = true;
    let tried = this.#wanted;
    const work = async () => {
      for (; !this.done; ) {
        tried = this.#wanted;
        await this.#ports.work.want(tried !== NOBODY);
        this.#ports.marks.set('worked_for', tried);
      }
      this.#backoff.worked();
      this.#settled();
    };
    work()
      // The alarm stays armed and a later look at the session tries again.
      .catch((error: unknown) => {
        this.#backoff.failed(tried);
        this.#settled();
        this.#ports.logger.warn('work.offer_failed', { cause: String(error) });
      })
      .finally(() => {
        this.#working = false;
      });
  }

  get #told(): string {
    return this.#ports.marks.get('worked_for') ?? NOBODY;
  }
}
