// The attendants of all sandboxes in use: a few to each, so that a task that waits keeps none of the others waiting, and made by
// the tasks that need them.
import type { Sandbox } from 'modal';
import { Attendant, type Terms } from './attendant.ts';
import { toOrder } from './order.ts';
import type { Invoked, Task } from './programs.ts';

const MAX_OF_SANDBOX = 3;
const MAX = 500;

export class Attendants {
  readonly #ofSandbox = new Map<string, Set<Attendant>>();
  readonly #starting = new Map<string, number>();
  readonly #terms: Terms;
  /** Those that are starting too. */
  #count = 0;

  constructor(terms: Terms) {
    this.#terms = terms;
  }

  /** Null: there is none for it, or doing it again is harmless; it is then done without. Throws what the SDK throws. */
  async perform(sandbox: Sandbox, task: Task): Promise<Invoked | null> {
    const order = toOrder(task);
    if (order === null) return null;
    const { sandboxId } = sandbox;
    const free = [...this.#of(sandboxId)].find(({ isFree }) => isFree);
    if (free !== undefined) return free.perform(task, order);
    if (!this.#reserve(sandboxId)) return null;
    const attendant = await Attendant.start(sandbox, this.#terms).finally(() => this.#unreserve(sandboxId));
    this.#keep(sandboxId, attendant);
    // Before anybody else finds it free.
    return attendant.perform(task, order);
  }

  /** They end after what they are doing. */
  retire(sandboxId: string): void {
    for (const attendant of this.#of(sandboxId)) attendant.retire();
  }

  #of(sandboxId: string): ReadonlySet<Attendant> {
    return this.#ofSandbox.get(sandboxId) ?? new Set();
  }

  #reserve(sandboxId: string): boolean {
    const starting = this.#starting.get(sandboxId) ?? 0;
    if (this.#count >= MAX || this.#of(sandboxId).size + starting >= MAX_OF_SANDBOX) return false;
    this.#count += 1;
    this.#starting.set(sandboxId, starting + 1);
    return true;
  }

  #unreserve(sandboxId: string): void {
    this.#count -= 1;
    const left = (this.#starting.get(sandboxId) ?? 1) - 1;
    if (left === 0) this.#starting.delete(sandboxId);
    else this.#starting.set(sandboxId, left);
  }

  #keep(sandboxId: string, attendant: Attendant): void {
    const all = this.#ofSandbox.get(sandboxId) ?? new Set();
    this.#ofSandbox.set(sandboxId, all.add(attendant));
    this.#count += 1;
    void attendant.ended.then(() => {
      this.#count -= 1;
      all.delete(attendant);
      if (all.size === 0 && this.#ofSandbox.get(sandboxId) === all) this.#ofSandbox.delete(sandboxId);
    });
  }
}
