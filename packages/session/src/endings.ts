// How a stretch of work ends on the log: the events around idle, rescheduled and interrupted, in the order of spec §7.2.
import type { StopDetails, StopReason } from '@capstan/schema/events/session-events';
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { type Entry, made, type Stamp, toTimestamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { ModelErrorType } from './harness.ts';
import { blocking, type OpenCall, type State, usageAt } from './state.ts';

/** What names the session's one thread on its events. */
export interface Thread {
  session_thread_id: string;
  agent_name: string;
}

const MAX_ATTEMPTS = 5;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

export function begin(stamp: Stamp, thread: Thread): Entry[] {
  return [made(stamp, 'session.status_running', {}), made(stamp, 'session.thread_status_running', thread)];
}

export interface Ending {
  thread: Thread;
  reason: StopReason;
  details?: StopDetails;
}

/** The session's usage is told directly before it is idle. `state` is what holds just before. */
export function idle(state: State, ending: Ending, stamp: Stamp): Entry[] {
  const stop = { stop_reason: ending.reason, stop_details: ending.details ?? null };
  return [
    made(stamp, 'session.thread_status_idle', { ...ending.thread, ...stop }),
    made(stamp, 'session.usage', { usage: usageAt(state, stamp.now), budget: null }),
    made(stamp, 'session.status_idle', stop),
  ];
}

export function waiting(state: State, thread: Thread, stamp: Stamp): Entry[] {
  const event_ids = blocking(state).map((call) => call.id);
  return idle(state, { thread, reason: { type: 'requires_action', event_ids } }, stamp);
}

/** Ends a model request that gave no reply: `isError` is null when it was stopped on purpose. */
export function abandonSpan(state: State, isError: true | null, stamp: Stamp): Entry[] {
  if (state.openSpan === null) return [];
  return [
    made(stamp, 'span.model_request_end', {
      model_request_start_id: state.openSpan,
      is_error: isError,
      model_usage: ZERO_MODEL_USAGE,
    }),
  ];
}

/** Every open call gets a result that says it was cut short, so that no use is ever left without one. */
export function closeCalls(calls: readonly OpenCall[], text: string, stamp: Stamp): Entry[] {
  return calls.map((call) =>
    call.waitsFor === 'client'
      ? made(stamp, 'user.custom_tool_result', {
          custom_tool_use_id: call.id,
          content: [{ type: 'text', text }],
          is_error: true,
        })
      : made(stamp, 'agent.tool_result', {
          tool_use_id: call.id,
          content: [{ type: 'text', text }],
          is_error: true,
        }),
  );
}

interface Fault {
  type: ModelErrorType;
  message: string;
}

export interface Failure {
  error: Fault;
  retryable: boolean;
  retryAfterMs?: number;
  /** The first new try need not wait: nothing says that the other side is busy. */
  urgent?: boolean;
  /** 0 to 1: spreads retries of many sessions apart. */
  jitter: number;
}

/** Tries again later, or gives the turn up: then what is queued is flushed and the next message starts afresh. */
export function fail(state: State, failure: Failure, context: { thread: Thread; stamp: Stamp }): Entry[] {
  const { thread, stamp } = context;
  const attempt = state.attempt + 1;
  const span = abandonSpan(state, true, stamp);
  if (failure.retryable && attempt < MAX_ATTEMPTS) {
    const at = stamp.now + delayMs(failure, attempt);
    const error = { ...failure.error, retry_status: { type: 'retrying' as const } };
    const rescheduled = made(stamp, 'session.status_rescheduled', {});
    return [
      ...span,
      made(stamp, 'session.error', { error }),
      made(stamp, 'session.thread_status_rescheduled', thread),
      { ...rescheduled, note: { retry: { at, attempt } } },
    ];
  }
  const error = { ...failure.error, retry_status: { type: 'exhausted' as const } };
  const given = [
    ...span,
    ...closeCalls(state.calls, 'Not run: the turn was given up after an error.', stamp),
    ...take(state.queue, stamp),
    made(stamp, 'session.error', { error }),
  ];
  return [
    ...given,
    ...idle(evolveAll(state, given), { thread, reason: { type: 'retries_exhausted' } }, stamp),
  ];
}

/** Queued events as they stand once the agent has them: the same ids, now processed. */
export function take(queue: State['queue'], stamp: Stamp): Entry[] {
  return queue.map((event) => ({ event: { ...event, processed_at: toTimestamp(stamp.now) } }));
}

function delayMs({ urgent, jitter, retryAfterMs = 0 }: Failure, attempt: number): number {
  if (urgent && attempt === 1) return 0;
  const full = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1));
  return Math.max(retryAfterMs, Math.round(full * (0.75 + 0.25 * jitter)));
}
