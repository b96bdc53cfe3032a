// What a session is, as far as deciding needs it: a fold of its log (M2). Messages are kept until they are taken, calls until their result.
import type { SessionEvent } from '@capstan/schema/events';
import type { SessionStatus } from '@capstan/schema/sessions';
import { type SessionUsage, ZERO_USAGE } from '@capstan/schema/usage';

/** Events a client sends, as the log keeps them. */
export type UserEvent = Extract<SessionEvent, { type: `user.${string}` | 'system.message' }>;

/** A tool call in the log without its result. */
export interface OpenCall {
  /** The id of its use event, and the effect id of what it does. */
  id: string;
  name: string;
  input: Record<string, unknown>;
  /** Whom it waits for: nobody (the engine performs it), a person's confirmation, or the client's own result. */
  waitsFor: 'nobody' | 'confirmation' | 'client';
  /** A process that died may have begun it: it is recovered, never simply performed again (R6). */
  begun: boolean;
}

export interface State {
  status: SessionStatus;
  /** The id of the `session.status_running` that began the turn in progress. */
  turnId: string | null;
  /** Accepted, not yet taken, oldest first. */
  queue: readonly UserEvent[];
  calls: readonly OpenCall[];
  /** Input or results that the model has not replied to. */
  unanswered: boolean;
  /** The `span.model_request_start` without its end. */
  openSpan: string | null;
  /** Model calls in this turn. */
  steps: number;
  /** Tries in a row that brought nothing new. */
  attempt: number;
  retryAt: number | null;
  usage: SessionUsage;
  activeSince: number | null;
  activeMs: number;
  updatedAt: number;
  archivedAt: number | null;
  /** Nobody may see it any more; what is left of it is being erased. */
  deleted: boolean;
}

export const INITIAL: State = {
  status: 'idle',
  turnId: null,
  queue: [],
  calls: [],
  unanswered: false,
  openSpan: null,
  steps: 0,
  attempt: 0,
  retryAt: null,
  usage: ZERO_USAGE,
  activeSince: null,
  activeMs: 0,
  updatedAt: 0,
  archivedAt: null,
  deleted: false,
};

/** Calls the engine itself has to bring to a result. */
export function performable(state: State): OpenCall[] {
  return state.calls.filter((call) => call.waitsFor === 'nobody');
}

/** Calls that only a client's answer brings further. */
export function blocking(state: State): OpenCall[] {
  return state.calls.filter((call) => call.waitsFor !== 'nobody');
}

export type Step = { kind: 'tools'; calls: OpenCall[] } | { kind: 'model' } | { kind: 'none' };

/** What the turn in progress has to do next. */
export function nextStep(state: State): Step {
  if (state.status !== 'running') return { kind: 'none' };
  const calls = performable(state);
  if (calls.length > 0) return { kind: 'tools', calls };
  if (blocking(state).length > 0) return { kind: 'none' };
  return state.unanswered || state.queue.length > 0 ? { kind: 'model' } : { kind: 'none' };
}

export function activeSecondsAt(state: State, now: number): number {
  const running = state.activeSince === null ? 0 : Math.max(0, now - state.activeSince);
  return (state.activeMs + running) / 1000;
}

export function usageAt(state: State, now: number): SessionUsage {
  return { ...state.usage, active_seconds: activeSecondsAt(state, now) };
}
