// Snapshots: a fold begun where an earlier one ended.
//
// S1. A snapshot is only ever a shortcut: without a usable one the whole log is folded, to the same state (M2).
// S2. What another version of the fold wrote is not read: it may mean something else.
import type { LoggedEntry } from './entry.ts';
import { readEntries } from './log-reader.ts';
import type { EventLog } from './ports.ts';

/** How a log becomes a state. The state is what JSON carries: no Map, Date or undefined member that matters. */
export interface Fold<S> {
  /** Changes with everything that changes what `evolve` makes of a log, and with the shape of the state. */
  version: string;
  initial: S;
  evolve(state: S, entry: LoggedEntry): S;
}

export interface Restored<S> {
  state: S;
  /** The last row; 0 when the log is empty. */
  seq: number;
  /** The row the fold began after: how far back the next snapshot is. */
  snapshotSeq: number;
}

/** What `Extra.snapshot` is to be. */
export function toSnapshot<S>({ version }: Pick<Fold<S>, 'version'>, state: S): string {
  return JSON.stringify({ version, state });
}

/** The state of a log: from its newest usable snapshot, otherwise from the beginning. */
export async function restore<S>(
  log: Pick<EventLog, 'lines' | 'snapshot'>,
  fold: Fold<S>,
): Promise<Restored<S>> {
  const start = await usable(log, fold);
  let { state, seq } = start;
  for await (const entry of readEntries(log, seq)) {
    state = fold.evolve(state, entry);
    seq = entry.seq;
  }
  return { state, seq, snapshotSeq: start.seq };
}

async function usable<S>(
  log: Pick<EventLog, 'snapshot'>,
  { version, initial }: Fold<S>,
): Promise<{ state: S; seq: number }> {
  const stored = await log.snapshot();
  const kept = stored && parsed<S>(stored.state);
  return stored && kept?.version === version
    ? { state: kept.state, seq: stored.seq }
    : { state: initial, seq: 0 };
}

function parsed<S>(text: string): { version: string; state: S } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
