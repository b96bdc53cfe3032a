// Stops what cut-short calls are still doing. Owed until it is done, by the log: a process that dies before it got to it
// leaves it to the next (M3). Stopping what has ended is harmless.
import type { Logger } from '@capstan/shared/logger';
import { Backoff, type BackoffPorts } from './backoff.ts';
import type { Harness } from './harness.ts';
import type { StoppedCall } from './state.ts';

interface StopperPorts extends BackoffPorts {
  harness: Pick<Harness, 'cancel'>;
  logger: Logger;
}

export class Stopper {
  #ports: StopperPorts;
  #settled: () => void;
  #wanted: readonly StoppedCall[] = [];
  #working = false;
  #backoff: Backoff;

  /** `settled` is called when everything that was owed is done, or something has failed. */
  constructor(ports: StopperPorts, settled: () => void) {
    this.#ports = ports;
    this.#settled = settled;
    this.#backoff = new Backoff(ports, 'stopping');
  }

  /** When it is tried again, epoch ms; null: nothing waits for that. */
  get retryAt(): number | null {
    return this.#backoff.until;
  }

  get done(): boolean {
    return this.#left().length === 0;
  }

  /** All that were cut short, oldest first, those that are stopped already among them. */
  keep(calls: readonly StoppedCall[]): void {
    this.#wanted = calls;
    const last = calls.at(-1)?.id ?? '';
    if (this.#working || this.done || !this.#backoff.allows(last)) return;
    this.#working = true;
    this.#work()
      // The alarm stays armed and a later look at the session tries again.
      .catch((error: unknown) => {
        this.#backoff.failed(last);
        this.#settled();
        this.#ports.logger.warn('tool.cancel_failed', { cause: String(error) });
      })
      .finally(() => {
        this.#working = false;
      });
  }

  async #work(): Promise<void> {
    for (let calls = this.#left(); calls.length > 0; calls = this.#left()) {
      await Promise.all(calls.map((call) => this.#ports.harness.cancel(toCall(call))));
      const last = calls.at(-1);
      if (last) this.#ports.marks.set('stopped', last.id);
    }
    this.#backoff.worked();
    this.#settled();
  }

  #left(): readonly StoppedCall[] {
    const mark = this.#ports.marks.get('stopped');
    const at = this.#wanted.findIndex(({ id }) => id === mark);
    return this.#wanted.slice(at + 1);
  }
}

function toCall({ id, name }: StoppedCall): { effectId: string; name: string } {
  return { effectId: id, name };
}
