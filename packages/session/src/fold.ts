// How a session's log becomes its state, and when the state is photographed.
import { evolve } from './evolve.ts';
import type { Fold } from './snapshot.ts';
import type { SessionSpec } from './spec.ts';
import { initialState, type State } from './state.ts';

/** Changes with what `evolve` makes of a log, and with the shape of the state: older snapshots are not read then. */
const VERSION = '13';

/** Rows between two snapshots: a new process folds no more than these. */
export const SNAPSHOT_EVERY = 500;

export function foldOf({ threadId, agent, createdAt }: SessionSpec): Fold<State> {
  return { version: VERSION, initial: initialState({ threadId, name: agent.name, createdAt }), evolve };
}

/**
 * The threads (null: the primary one) whose turn ends between two states, or whose next model request begins: what was
 * shown before is kept by then, or gone. A piece that is written late, after the end of its turn, goes with the next.
 */
export function overDrafts(before: State, after: State): (string | null)[] {
  return before.threads.flatMap(({ id, parentId, turnId, openSpan }) => {
    const now = after.threads.find((thread) => thread.id === id);
    const ended = turnId !== null && now?.turnId !== turnId;
    const begins = now !== undefined && now.openSpan !== null && now.openSpan.id !== openSpan?.id;
    return ended || begins ? [parentId === null ? null : id] : [];
  });
}
