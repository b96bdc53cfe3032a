// A turn in progress: whose it is, the way to stop it, and what it sees of the session it works for.
import type { Logger } from '@capstan/shared/logger';
import type { ModelContext } from './context.ts';
import type { Entry } from './entry.ts';
import type { Harness } from './harness.ts';
import type { Hub } from './hub.ts';
import type { EventLog } from './ports.ts';
import type { SessionSpec } from './spec.ts';
import type { OpenCall, Outcome, State } from './state.ts';
import type { TurnStep } from './turn-commands.ts';

/** What a turn sees of the session it works for. */
export interface Desk {
  spec: SessionSpec;
  harness: Harness;
  hub: Hub;
  log: EventLog;
  logger: Logger;
  state(): State;
  /** The context of a thread's model calls. */
  context(threadId: string): ModelContext;
  /** The input of a call, also of one that is too large for the log's row. Null: it is gone. */
  inputOf(call: OpenCall): Promise<Record<string, unknown> | null>;
  /** What an outcome is judged by. Null: it is gone. */
  rubricOf(outcome: Outcome): Promise<string | null>;
  /** Decides and commits; what was appended. A step of a turn that has been stopped brings nothing. */
  submit(turnId: string, step: TurnStep): Promise<readonly Entry[]>;
  newEventId(): string;
  random(): number;
}

/** Why a turn ends early: the session went on without it, or another process speaks for the session now. */
export type StopCause = 'stopped' | 'superseded';

export class Turn {
  id: string;
  threadId: string;
  #abort = new AbortController();

  constructor(id: string, threadId: string) {
    this.id = id;
    this.threadId = threadId;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  stop(cause: StopCause): void {
    this.#abort.abort(cause);
  }
}
