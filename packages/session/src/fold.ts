// How a session's log becomes its state, and when the state is photographed.
import { evolve } from './evolve.ts';
import type { Fold } from './snapshot.ts';
import type { SessionSpec } from './spec.ts';
import { initialState, type State } from './state.ts';

/** Changes with what `evolve` makes of a log, and with the shape of the state: older snapshots are not read then. */
const VERSION = '4';

/** Rows between two snapshots: a new process folds no more than these. */
export const SNAPSHOT_EVERY = 500;

export function foldOf({ threadId, agent, createdAt }: SessionSpec): Fold<State> {
  return { version: VERSION, initial: initialState({ threadId, name: agent.name, createdAt }), evolve };
}

/** The threads (null: the primary one) whose turn ends between two states: what was shown of it is kept, or gone. */
export function endedTurns(before: State, after: State): (string | null)[] {
  return before.threads.flatMap((thread) => {
    const now = after.threads.find(({ id }) => id === thread.id);
    const ended = thread.turnId !== null && now?.turnId !== thread.turnId;
    return ended ? [thread.parentId === null ? null : thread.id] : [];
  });
}
