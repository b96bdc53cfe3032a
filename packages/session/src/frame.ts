// What threads do, framed by what the session does because of it, in the order of spec §7.2: running is told before the
// thread runs; the session's usage directly before it is idle.
import type { StopReason } from '@capstan/schema/events/session-events';
import { tellUsage } from '@capstan/schema/usage';
import { budgetOf, isUsedUp, toMoney } from './budget.ts';
import { type Entry, made, ownedBy, type Stamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { SessionSpec } from './spec.ts';
import type { State, ThreadState } from './state.ts';
import { blocking, blockingIds, hasInput, performable, primaryOf, statusOf, usageAt } from './thread.ts';

/** What deciding sees. */
export interface Context {
  state: State;
  spec: SessionSpec;
  stamp: Stamp;
}

export function frame({ state, spec, stamp }: Context, entries: readonly Entry[]): Entry[] {
  const after = evolveAll(state, entries);
  // A session that is over stays so, whatever its threads were at.
  if (after.status === 'terminated') return [...entries];
  const status = statusOf(after);
  if (status === 'running' && state.status !== 'running') {
    const begun = entries.findIndex(({ event }) => event.type === 'session.thread_status_running');
    return [...entries.slice(0, begun), made(stamp, 'session.status_running', {}), ...entries.slice(begun)];
  }
  const stopped = entries.some(({ event }) => event.type === 'session.thread_status_idle');
  if (status === 'idle' && (stopped || state.status !== 'idle')) {
    return [...entries, ...rest(after, spec, stamp)];
  }
  if (status === 'rescheduling' && state.status !== status) {
    return [...entries, made(stamp, 'session.status_rescheduled', {})];
  }
  return [...entries];
}

/** Begins every thread that rests and has something to do; one that would need a model pauses when a limit is used up. */
export function wake({ state, spec, stamp }: Context): Entry[] {
  const capped = isUsedUp(state, spec);
  return state.threads
    .filter((thread) => isDue(state, thread))
    .flatMap((thread) =>
      capped && performable(thread).length === 0 ? pause(thread, stamp) : begin(thread, stamp),
    );
}

/** Its budget has no room for what it has to do: it keeps that until there is. */
export function pause(thread: ThreadState, stamp: Stamp): Entry[] {
  const stop = { stop_reason: { type: 'budget_reached' as const }, stop_details: null };
  return ownedBy(thread, [made(stamp, 'session.thread_status_idle', { ...named(thread), ...stop })], true);
}

export function begin(thread: ThreadState, stamp: Stamp): Entry[] {
  return ownedBy(thread, [made(stamp, 'session.thread_status_running', named(thread))], true);
}

/** What names a thread on events about it. */
export function named(thread: ThreadState): { session_thread_id: string; agent_name: string } {
  return { session_thread_id: thread.id, agent_name: thread.name };
}

function isDue(state: State, thread: ThreadState): boolean {
  if (thread.status !== 'idle' || blocking(thread).length > 0) return false;
  if (performable(thread).length > 0) return true;
  const judged = thread.parentId === null && state.outcome?.phase === 'evaluating';
  return !thread.paused && (judged || hasInput(thread));
}

function rest(state: State, spec: SessionSpec, stamp: Stamp): Entry[] {
  const { nanoUsd, priced } = state.spent;
  const usage = { ...usageAt(state, stamp.now), list_cost: priced ? toMoney(nanoUsd) : null };
  const { reason, details } = stopOf(state);
  return [
    made(stamp, 'session.usage', { usage: tellUsage(usage), budget: budgetOf(state, spec) }),
    made(stamp, 'session.status_idle', { stop_reason: reason, stop_details: details }),
  ];
}

/** Who waits for a person outranks a budget, which outranks how the primary thread ended. */
function stopOf(state: State) {
  const event_ids = blockingIds(state);
  if (event_ids.length > 0)
    return { reason: { type: 'requires_action', event_ids } as StopReason, details: null };
  const paused = state.threads.some((thread) => thread.paused);
  if (paused) return { reason: { type: 'budget_reached' } as StopReason, details: null };
  const { reason, details } = primaryOf(state).stop ?? { reason: { type: 'end_turn' }, details: null };
  return { reason, details };
}
