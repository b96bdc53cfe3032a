// A turn: from the state of the session, model calls and tool calls until nothing is left to do.
//
// T1. A turn keeps nothing of its own: each step is read off the state, each outcome is a command. Killed anywhere, the
//     next attempt goes on from the log.
// T2. A stopped turn writes nothing more, and what its calls still do is cancelled. A superseded turn cancels nothing:
//     its successor recovers those calls.
import type { Logger } from '@capstan/shared/logger';
import type { ModelContext } from './context.ts';
import type { Harness } from './harness.ts';
import type { Hub } from './hub.ts';
import { callModel } from './model-step.ts';
import type { SessionSpec } from './spec.ts';
import { nextStep, type State } from './state.ts';
import { performCalls } from './tool-step.ts';
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

  /** Rejects only when a step could not be committed. */
  async run(desk: Desk): Promise<void> {
    while (!this.signal.aborted && desk.state().turnId === this.id) {
      const step = nextStep(desk.state());
      if (step.kind === 'tools') await performCalls(this, desk, step.calls);
      else if (step.kind === 'model') await callModel(this, desk);
      else return;
    }
  }
}
