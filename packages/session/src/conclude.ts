// What follows by itself from what was decided: workflow runs go on, threads that have something to do begin, and the
// session shows it.
import type { Entry } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { type Context, frame, wake } from './frame.ts';
import { advance, withStandings } from './workflow/progress.ts';

/** The entries, and work that is due because of them, as the session shows them. */
export function conclude(context: Context, entries: readonly Entry[]): Entry[] {
  const state = evolveAll(context.state, entries);
  return frame(context, [...entries, ...onward({ ...context, state })]);
}

/** Work that is due: of workflow runs, and of every thread that rests and has something to do. */
export function onward(context: Context): Entry[] {
  const { state } = context;
  if (state.runs.length === 0) return wake(context);
  if (state.status === 'terminated') return [];
  const moved = advance(context);
  const woken = wake({ ...context, state: evolveAll(state, moved) });
  return withStandings(context, [...moved, ...woken]);
}
