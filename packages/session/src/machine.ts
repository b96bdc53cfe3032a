// The session machine: what a session may do, with no I/O.
//
//   decide(state, command, context) -> entries   what happens, or an ApiError
//   evolve(state, entry)            -> state     what it means
//   owed(state, now)                -> owed      what the world must be told because of it
//
// M1. Pure: no clock, no random, no await. Time and ids come in the stamp.
// M2. State is a fold of the log: evolveAll(INITIAL, log) equals the live state, after any crash.
// M3. What is owed is read off the state, never queued, so nothing owed can be lost, and doing it twice is harmless.
//     A turn is the exception: its event starts it, and only an event ends it.
import { ApiError } from '@capstan/schema/error';
import { begin, closeCalls, fail } from './endings.ts';
import { type Entry, made } from './entry.ts';
import type { SessionView } from './service.ts';
import { activeSecondsAt, type State, usageAt } from './state.ts';
import { type Context, decideTurn, type TurnCommand, threadOf } from './turn-commands.ts';

export type Command =
  | TurnCommand
  /** An alarm or a wake: retry what is due. */
  | { kind: 'tick' }
  /** This runtime was just built: a turn it finds running has lost its process. */
  | { kind: 'recovered'; jitter: number }
  | { kind: 'archive' }
  | { kind: 'delete' };

export function decide(command: Command, context: Context): Entry[] {
  const { state, stamp } = context;
  switch (command.kind) {
    case 'tick': {
      const due = state.status === 'rescheduling' && (state.retryAt ?? 0) <= stamp.now;
      return due ? begin(stamp, threadOf(context.spec)) : [];
    }
    case 'recovered':
      return state.status === 'running' ? recover(context, command.jitter) : [];
    case 'archive':
      return archive(context);
    case 'delete':
      refuseWhileWorking(state);
      return state.deleted ? [] : [made(stamp, 'session.deleted', {})];
    default:
      return decideTurn(command, context);
  }
}

function recover({ state, spec, stamp }: Context, jitter: number): Entry[] {
  const message = 'The process that ran this turn stopped. What it had written is kept.';
  const failure = {
    error: { type: 'unknown_error' as const, message },
    retryable: true,
    urgent: true,
    jitter,
  };
  return fail(state, failure, { thread: threadOf(spec), stamp });
}

function archive({ state, spec, stamp }: Context): Entry[] {
  if (state.archivedAt !== null) return [];
  refuseWhileWorking(state);
  const terminated = made(stamp, 'session.status_terminated', {});
  return [
    ...closeCalls(state.calls, 'Not run: the session was archived.', stamp),
    made(stamp, 'session.thread_status_terminated', threadOf(spec)),
    { ...terminated, note: { archived: true } },
  ];
}

function refuseWhileWorking({ status }: State): void {
  if (status !== 'running' && status !== 'rescheduling') return;
  throw new ApiError(
    'invalid_request',
    `The session is ${status}: wait until it is idle, or send a user.interrupt first.`,
  );
}

export interface Owed {
  /** What the session's row in the control plane should show. */
  index: SessionView;
  /** The latest moment at which the session must be looked at again, epoch ms, or null when nothing is pending. */
  wakeAt: number | null;
  /** The session is over: what it holds outside is to be given back. */
  release: boolean;
  /** The session is deleted: its row and all that it stores are to go. */
  erase: boolean;
}

/** A running turn is looked at this often, so that one whose process died goes on by itself. */
export const LEASE_MS = 30_000;

export function owed(state: State, now: number): Owed {
  return {
    index: toView(state, now),
    wakeAt: state.status === 'running' ? now + LEASE_MS : state.retryAt,
    release: state.status === 'terminated',
    erase: state.deleted,
  };
}

function toView(state: State, now: number): SessionView {
  return {
    status: state.status,
    usage: usageAt(state, now),
    activeSeconds: activeSecondsAt(state, now),
    updatedAt: state.updatedAt,
    archivedAt: state.archivedAt,
  };
}
