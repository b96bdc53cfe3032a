// A turn in progress: its identity, the way to stop it, and what it sees of the session it works for.
import type { Logger } from '@capstan/shared/logger';
import type { ModelContext } from './context.ts';
import type { Harness } from './harness.ts';
import type { Hub } from './hub.ts';
import type { SessionSpec } from './spec.ts';
import type { State } from './state.ts';
import type { TurnStep } from './turn-commands.ts';

/** What a turn sees of the session it works for. */
export interface Desk {
  spec: SessionSpec;
  harness: Harness;
  hub: Hub;
  context: ModelContext;
  logger: Logger;
  state(): State;
  /** Decides and commits. A step of a turn that has been stopped brings nothing. */
  submit(turnId: string, step: TurnStep): Promise<void>;
  newEventId(): string;
  random(): number;
}

/** Why a turn ends early: the session went on without it, or another process speaks for the session now. */
export type StopCause = 'stopped' | 'superseded';

export class Turn {
  id: string;
  #abort = new AbortController();

  constructor(id: string) {
    this.id = id;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  stop(cause: StopCause): void {
    this.#abort.abort(cause);
  }
}
