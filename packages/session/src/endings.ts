// How a thread's stretch of work ends on the log: idle, rescheduled, given up or cut short.
import type { ThreadContent } from '@capstan/schema/content';
import type { EventOf } from '@capstan/schema/events';
import type { StopDetails, StopReason } from '@capstan/schema/events/session-events';
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { billFor, type Took } from './bill.ts';
import { type Entry, made, type Note, noted, ownedBy, type Stamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { type Context, named } from './frame.ts';
import type { ModelErrorType } from './harness.ts';
import { abandonJudging } from './judgements.ts';
import { abandonGrading, endOutcome } from './outcome.ts';
import type { OpenCall, State, ThreadState } from './state.ts';
import { take } from './taking.ts';
import { again, blocking, nextStep } from './thread.ts';
import type { StepResult } from './workflow/run.ts';

const MAX_ATTEMPTS = 5;
const FIRST_RETRY_MS = 1_000;
/** A provider that wants to be left alone for longer is asked again then all the same. */
const LONGEST_TOLD_MS = 15 * 60_000;
/** Processes in a row that may die in one model call, or while tools run, before anything new is on the log. */
const MAX_RESTARTS = { model: 10, tools: 500 };
const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 500;

export interface Ending {
  reason: StopReason;
  details?: StopDetails;
  /** What its step came to, of a thread that has one; absent: it goes on later. */
  result?: StepResult;
}

export function idle(thread: ThreadState, { reason, details = null, result }: Ending, stamp: Stamp): Entry[] {
  const stop = { stop_reason: reason, stop_details: details };
  const rests = made(stamp, 'session.thread_status_idle', { ...named(thread), ...stop });
  // A consultation is over with its answer, a step with its result.
  const over = thread.advises || (thread.step && result) ? [ending(thread, result, stamp)] : [];
  return ownedBy(thread, [rests, ...over], true);
}

function ending(thread: ThreadState, result: StepResult | undefined, stamp: Stamp): Entry {
  const over = made(stamp, 'session.thread_status_terminated', named(thread));
  return thread.step && result ? noted(over, { result }) : over;
}

export function waiting(thread: ThreadState, stamp: Stamp): Entry[] {
  const event_ids = blocking(thread).map((call) => call.id);
  return idle(thread, { reason: { type: 'requires_action', event_ids } }, stamp);
}

/** Ends a model request that gave no reply: `isError` is null when it was stopped on purpose. */
export function abandonSpan(
  thread: ThreadState,
  { isError, note = {}, took }: { isError: true | null; note?: Note; took: Took },
  stamp: Stamp,
): Entry[] {
  if (thread.openSpan === null) return [];
  // A fork asked neither: what its source's judge took is the source's to pay.
  const judge = took === 'unasked' ? took : 'untold';
  const judging = abandonJudging(thread, { isError, took: judge }, stamp);
  const end = made(stamp, 'span.model_request_end', {
    model_request_start_id: thread.openSpan.id,
    is_error: isError,
    model_usage: typeof took === 'string' ? ZERO_MODEL_USAGE : took,
  });
  const [owned = end] = ownedBy(thread, [noted(end, note)]);
  const bill = billFor(thread.openSpan, took, stamp.now);
  return [...judging, bill === null ? owned : noted(owned, { bill })];
}

export interface Closing {
  text: string;
  /** What the calls do is to be stopped. */
  cancel?: boolean;
}

type Closed = Pick<OpenCall, 'id' | 'server' | 'waitsFor' | 'hash' | 'remote'>;

/** Every open call gets a result that says it was cut short, so that no use is ever left without one. */
export function closeCalls(
  thread: ThreadState,
  { calls = thread.calls, text, cancel = false }: Closing & { calls?: readonly Closed[] },
  stamp: Stamp,
): Entry[] {
  return calls.flatMap((call) => {
    const content = [{ type: 'text' as const, text }];
    const ends = { content, is_error: true };
    const routed = thread.parentId === null ? {} : { session_thread_id: thread.id };
    if (call.waitsFor === 'client') {
      const closed = made(stamp, 'user.custom_tool_result', {
        custom_tool_use_id: call.id,
        ...ends,
        ...routed,
      });
      return ownedBy(thread, [closed], true);
    }
    // A worker takes a call for unanswered until it sees this kind of result: it would run one that is over.
    if (call.remote) {
      const closed = made(stamp, 'user.tool_result', { tool_use_id: call.id, ...ends, ...routed });
      return ownedBy(thread, [closed], true);
    }
    const result = toolResult(call, ends, stamp);
    const stops = cancel && call.waitsFor === 'nobody';
    return ownedBy(thread, [stops ? noted(result, { cancel: true }) : result], call.hash !== undefined);
  });
}

type Outcome = Pick<EventOf<'agent.tool_result'>, 'content' | 'is_error'>;

/** What a call came to, as its kind of use is answered. */
export function toolResult(call: Pick<OpenCall, 'id' | 'server'>, outcome: Outcome, stamp: Stamp): Entry {
  return call.server === undefined
    ? made(stamp, 'agent.tool_result', { tool_use_id: call.id, ...outcome })
    : made(stamp, 'agent.mcp_tool_result', { mcp_tool_use_id: call.id, ...outcome });
}

export interface Failure extends Failed {
  retryable: boolean;
  retryAfterMs?: number;
  /** 0 to 1: spreads retries of many sessions apart. */
  jitter: number;
  restart?: never;
}

/** The process that ran the turn died: nothing says that the other side is at fault. */
interface Death extends Failed {
  restart: true;
}

interface Failed {
  error: { type: ModelErrorType; message: string };
  /** On the request's end. */
  note?: Note;
  /** Absent: nobody knows what the request took. */
  took?: Took;
}

/** Tries again later, or gives the turn up: then what is queued is flushed and the next message starts afresh. */
export function fail(context: Context, thread: ThreadState, failure: Failure | Death): Entry[] {
  const { stamp } = context;
  const retry = failure.restart ? restartOf(context.state, thread) : retryOf(thread, failure);
  const { note = {}, took = 'untold' } = failure;
  const ends = { isError: true as const, took, note };
  const grading = thread.parentId === null ? abandonGrading(context.state, took, stamp) : [];
  const span = [...abandonSpan(thread, ends, stamp), ...grading];
  if (retry === null) return [...span, ...giveUp(evolved(context, span), thread, failure)];
  const error = { ...failure.error, retry_status: { type: 'retrying' as const } };
  const { delayMs, ...counts } = retry;
  const rescheduled = made(stamp, 'session.thread_status_rescheduled', named(thread));
  return [
    ...span,
    ...ownedBy(thread, [made(stamp, 'session.error', { error })], true),
    ...ownedBy(thread, [noted(rescheduled, { retry: { at: stamp.now + delayMs, ...counts } })], true),
  ];
}

/** Ends the turn with an error. A child is over then, and its parent is told. */
export function giveUp(
  context: Context,
  owner: ThreadState,
  { error }: { error: { type: ModelErrorType | LimitErrorType; message: string } },
): Entry[] {
  const { state, stamp } = context;
  const thread = again(state, owner);
  const told = { ...error, retry_status: { type: 'exhausted' as const } };
  const given = [
    ...closeCalls(thread, { text: 'Not run: the turn was given up after an error.', cancel: true }, stamp),
    ...take(thread, thread.queue, stamp),
    ...ownedBy(thread, [made(stamp, 'session.error', { error: told })], true),
  ];
  if (thread.parentId !== null) {
    const text = `This thread ended with an error and takes no more messages: ${error.message}`;
    const over = ending(thread, { text: error.message, failed: true }, stamp);
    return [...given, ...report(thread, text, stamp), ...ownedBy(thread, [over], true)];
  }
  const outcome = endOutcome(state, { result: 'failed', explanation: error.message }, stamp);
  return [...given, ...outcome, ...idle(thread, { reason: { type: 'retries_exhausted' } }, stamp)];
}

export type LimitErrorType = 'tool_use_limit_reached_error' | 'compaction_limit_reached_error';

/** Tells a child's parent what it has to say; what a step came to is its run's. */
export function report(thread: ThreadState, text: string, stamp: Stamp): Entry[] {
  if (thread.parentId === null || thread.step) return [];
  const content: ThreadContent[] = [{ type: 'text', text: text === '' ? '(no words)' : text }];
  const to = { to_session_thread_id: thread.parentId, to_agent_name: null };
  return ownedBy(thread, [made(stamp, 'agent.thread_message_sent', { ...to, content })]);
}

export function evolved(context: Context, entries: readonly Entry[]): Context {
  return { ...context, state: evolveAll(context.state, entries) };
}

interface Retry {
  delayMs: number;
  attempt: number;
  restarts: number;
}

function retryOf({ attempt: tries, restarts }: ThreadState, failure: Failure): Retry | null {
  const attempt = tries + 1;
  if (!failure.retryable || attempt >= MAX_ATTEMPTS) return null;
  const full = FIRST_RETRY_MS * 2 ** (attempt - 1);
  const delayMs = Math.max(
    Math.min(failure.retryAfterMs ?? 0, LONGEST_TOLD_MS),
    Math.round(full * (0.75 + 0.25 * failure.jitter)),
  );
  return { delayMs, attempt, restarts };
}

/** A tool may work for hours without a word on the log; a model call that kills its process each time may not. */
function restartOf(state: State, thread: ThreadState): Retry | null {
  const restarts = thread.restarts + 1;
  const calls = thread.openSpan !== null || nextStep(state, thread).kind === 'grade';
  const limit = calls ? MAX_RESTARTS.model : MAX_RESTARTS.tools;
  if (restarts > limit) return null;
  const delayMs = restarts === 1 ? 0 : Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** (restarts - 2));
  return { delayMs, attempt: thread.attempt, restarts };
}
