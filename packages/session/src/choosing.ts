// Who answers for a model, asked while a command is decided. Deciding cannot wait: where what is known of models may no
// longer hold, the decision is thrown away, waited for what is known, and made again; nothing of it was kept.
import type { Harness, ModelChoice, ModelWanted } from './harness.ts';

export class Choosing {
  #harness: Pick<Harness, 'choose' | 'settling'>;
  #asked = false;

  constructor(harness: Pick<Harness, 'choose' | 'settling'>) {
    this.#harness = harness;
  }

  /** Null when nobody answers: whoever is to call the model says why. */
  choose = (model: ModelWanted): ModelChoice | null => {
    this.#asked = true;
    try {
      return this.#harness.choose(model);
    } catch {
      return null;
    }
  };

  /** What `decide` makes, once whatever it chose a model by holds. */
  async settled<T>(decide: () => T): Promise<T> {
    this.#asked = false;
    const made = decide();
    const waiting = this.#asked ? this.#harness.settling() : null;
    if (waiting === null) return made;
    await waiting;
    return decide();
  }
}
