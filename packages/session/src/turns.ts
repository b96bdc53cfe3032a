// The turns under way, one for each running thread: begun, and stopped, as the state says.
import type { State } from './state.ts';
import { type StopCause, Turn } from './turn.ts';

export class Turns {
  #turns = new Map<string, Turn>();
  #run: (turn: Turn) => void;

  /** `run` is called once for each turn that begins. */
  constructor(run: (turn: Turn) => void) {
    this.#run = run;
  }

  /** Whether the turn is the one its thread has under way. */
  has(turn: Turn): boolean {
    return this.#turns.get(turn.threadId) === turn;
  }

  runs(threadId: string): boolean {
    return this.#turns.has(threadId);
  }

  /** Stops what the state has ended, begins what it has begun. */
  follow({ threads }: State): void {
    for (const { id, turnId } of threads) {
      const turn = this.#turns.get(id);
      if (turn !== undefined && turn.id !== turnId) {
        turn.stop('stopped');
        this.#turns.delete(id);
      }
      if (turnId === null || this.#turns.has(id)) continue;
      const next = new Turn(turnId, id);
      this.#turns.set(id, next);
      this.#run(next);
    }
  }

  stop(cause: StopCause): void {
    for (const turn of this.#turns.values()) turn.stop(cause);
    this.#turns.clear();
  }
}
