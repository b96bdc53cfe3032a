// Interrupts (spec §8.2): what is under way ends where it stands, on one thread or on all, and the session rests.
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import { abandonSpan, closeCalls, type Ending, idle, report } from './endings.ts';
import { type Entry, made, ownedBy, type Stamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import { endOutcome } from './outcome.ts';
import type { State, ThreadState } from './state.ts';
import { take } from './taking.ts';
import { primaryOf, threadById } from './thread.ts';
import { stopRuns } from './workflow/run-end.ts';

type Interrupt = Extract<EventParam, { type: 'user.interrupt' }>;

export function interrupt(
  param: Interrupt,
  context: Context,
  path: string,
): { entries: Entry[]; logged: boolean } {
  const { state, stamp } = context;
  const target = targetOf(state, param, path);
  const named = param.session_thread_id ? { session_thread_id: param.session_thread_id } : {};
  const [event] = ownedBy(target ?? primaryOf(state), [made(stamp, 'user.interrupt', named)], true);
  const entries = event ? [event] : [];
  // A session that its budget has stopped is not working: there is nothing to take back.
  if (isPaused(state)) return { entries, logged: false };
  const threads = (target ? [target] : state.threads).filter(isStopped);
  entries.push(
    ...(target === null ? stopAll(context, threads) : threads.flatMap((thread) => stopOne(thread, stamp))),
  );
  if (target === null || target.parentId === null) {
    const explanation = 'The work was interrupted by the user.';
    entries.splice(1, 0, ...endOutcome(state, { result: 'interrupted', explanation }, stamp));
  }
  return { entries, logged: true };
}

function targetOf(state: State, { session_thread_id: id }: Interrupt, path: string): ThreadState | null {
  if (id === undefined || id === null) return null;
  const thread = threadById(state, id);
  if (thread !== null && thread.status !== 'terminated') return thread;
  const why = thread === null ? `no thread ${id} in this session` : `the thread ${id} has ended`;
  throw new ApiError('invalid_request', `${path}.session_thread_id: ${why}`);
}

/** Its parent, who may be waiting for it, is told. */
function stopOne(thread: ThreadState, stamp: Stamp, read: readonly Entry[] = []): Entry[] {
  const told = report(thread, 'This thread was interrupted by the user.', stamp);
  const result = { text: 'It was interrupted by the user.', failed: true as const };
  return [...cutShort(thread, stamp), ...read, ...told, ...idle(thread, { ...END, result }, stamp)];
}

/**
 * What threads had to say to each other, and that they were stopped, is read with the next message: it starts nothing. The
 * primary one comes last, so that it is told of all others, also where it was at rest.
 */
function stopAll(context: Context, busy: readonly ThreadState[]): Entry[] {
  if (busy.length === 0) return [];
  const { state, stamp } = context;
  const children = busy.filter(({ parentId, step }) => parentId !== null && step === undefined);
  const entries = [
    ...stopRuns(context, STOPPED),
    ...children.flatMap((thread) => stopOne(thread, stamp, readMail(thread, stamp))),
  ];
  const primary = primaryOf(evolveAll(state, entries));
  return [...entries, ...cutShort(primary, stamp), ...readMail(primary, stamp), ...idle(primary, END, stamp)];
}

const STOPPED = 'Execution was interrupted by the user.';
const END: Ending = { reason: { type: 'end_turn' } };

function cutShort(thread: ThreadState, stamp: Stamp): Entry[] {
  return [
    ...abandonSpan(thread, { isError: null, took: 'untold' }, stamp),
    ...closeCalls(thread, { text: STOPPED, cancel: true }, stamp),
  ];
}

function readMail(thread: ThreadState, stamp: Stamp): Entry[] {
  const mail = thread.queue.filter((input) => input.kind === 'message');
  return take(thread, mail, stamp);
}

function isBusy({ status, calls }: ThreadState): boolean {
  return status === 'running' || status === 'rescheduling' || calls.length > 0;
}

/** Also what waits for its budget while others work: without them it would go on by itself. */
function isStopped(thread: ThreadState): boolean {
  return isBusy(thread) || thread.paused;
}

function isPaused(state: State): boolean {
  return state.threads.some(({ paused }) => paused) && !state.threads.some(isBusy);
}
