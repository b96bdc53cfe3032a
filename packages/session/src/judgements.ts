// Judging on the log: the request of a judge stands between a reply's own request and what the reply says, so that a
// verdict is on the log with its call, and both before anything runs. A process that dies in between has run nothing.
import { contextTokens, type ModelUsage, ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { billFor, type Took } from './bill.ts';
import { costOf, type Estimate, grant } from './budget.ts';
import {
  type Entry,
  type Judgement,
  type Judges,
  made,
  type Note,
  noted,
  ownedBy,
  type Stamp,
} from './entry.ts';
import type { Context } from './frame.ts';
import type { OpenSpan, ThreadState } from './state.ts';

export interface BeginJudging {
  calls: Judges['calls'];
  /** What the reply took. */
  usage: ModelUsage;
  estimate: Estimate;
}

/** Nothing where the budget has no room for it. What the reply does not need of what was set aside for it is free again. */
export function beginJudging(
  { calls, usage, estimate }: BeginJudging,
  context: Context,
  thread: ThreadState,
): Entry[] {
  const { openSpan, judging } = thread;
  if (openSpan === null || judging !== null) return [];
  const took = {
    nanoUsd: costOf(usage, openSpan.price) ?? 0,
    tokens: contextTokens(usage),
    input: contextTokens({ ...usage, output_tokens: 0 }),
    output: openSpan.reserved.output,
  };
  const replied = { ...thread, openSpan: { ...openSpan, reserved: took } };
  const threads = context.state.threads.map((one) => (one.id === thread.id ? replied : one));
  const reserved = grant({ ...context.state, threads }, context.spec, estimate);
  if (reserved === null) return [];
  const { provider, model, price } = estimate.choice;
  const start = made(context.stamp, 'span.model_request_start', {
    capstan: { provider, model, purpose: 'permission' },
  });
  return ownedBy(thread, [noted(start, { span: { price, reserved, judges: { calls, took } } })]);
}

export interface Judged {
  verdicts: readonly Judgement[];
  took: Took;
  failed: boolean;
}

/** The end of the judge's request, with what came of it. */
export function endJudging(thread: ThreadState, { verdicts, took, failed }: Judged, stamp: Stamp): Entry[] {
  if (thread.judging === null) return [];
  const judged = verdicts.map(({ verdict, reason }) => ({ verdict, reason }));
  return ownedBy(thread, [ended(thread.judging, { isError: failed, took, note: { judged } }, stamp)]);
}

/** The request of a judge whose verdicts nobody waits for any more. */
export function abandonJudging(
  thread: ThreadState,
  { isError, took }: { isError: true | null; took: 'untold' | 'unasked' },
  stamp: Stamp,
): Entry[] {
  if (thread.judging === null) return [];
  return ownedBy(thread, [ended(thread.judging, { isError, took, note: {} }, stamp)]);
}

interface End {
  isError: boolean | null;
  took: Took;
  note: Note;
}

function ended(span: OpenSpan, { isError, took, note }: End, stamp: Stamp): Entry {
  const bill = billFor(span, took, stamp.now);
  const end = made(stamp, 'span.model_request_end', {
    model_request_start_id: span.id,
    is_error: isError,
    model_usage: typeof took === 'string' ? ZERO_MODEL_USAGE : took,
  });
  return noted(end, { ...note, ...(bill === null ? {} : { bill }) });
}
