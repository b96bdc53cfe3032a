// Compaction on the log: the context from some position back is replaced by a summary of it. The rows stay as they are.
import { type ModelUsage, ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { billOf } from './bill.ts';
import { abandonSpan, giveUp } from './endings.ts';
import { type Carried, type Entry, made, noted, ownedBy, type Stamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import type { ThreadState } from './state.ts';
import { again } from './thread.ts';

/** Compactions in a row that may bring the agent no further. */
export const MAX_COMPACTIONS = 3;

interface Compacted {
  summary: string;
  carried: Carried;
  upTo: number;
  usage: ModelUsage;
}

export function compacted(
  { summary, carried, upTo, usage }: Compacted,
  thread: ThreadState,
  stamp: Stamp,
): Entry[] {
  const end = made(stamp, 'span.model_request_end', {
    model_request_start_id: thread.openSpan?.id ?? '',
    is_error: false,
    model_usage: usage,
  });
  const bill = thread.openSpan === null ? {} : { bill: billOf(thread.openSpan, usage) };
  const event = made(stamp, 'agent.thread_context_compacted', {});
  const kept = carried.rules.length === 0 && carried.outcome === null ? {} : { carried };
  return ownedBy(thread, [noted(end, bill), noted(event, { summary, compactedTo: upTo, ...kept })]);
}

interface TooLong {
  message: string;
  /** What was to be compacted does not fit either. */
  transcript?: true;
  /** Known before anybody asked the model. */
  unasked?: true;
}

/** The context does not fit: it is compacted next, unless that has been tried often enough. */
export function compactionLimit(
  context: Context,
  thread: ThreadState,
  { message, transcript, unasked }: TooLong,
): Entry[] {
  const tooLong = transcript ? 'transcript' : 'context';
  // A model does not read what is too long for it.
  const took = unasked ? ('unasked' as const) : ZERO_MODEL_USAGE;
  const span = abandonSpan(thread, { isError: true, note: { tooLong }, took }, context.stamp);
  const state = evolveAll(context.state, span);
  if (again(state, thread).compactions < MAX_COMPACTIONS) return span;
  const error = { type: 'compaction_limit_reached_error' as const, message };
  return [...span, ...giveUp({ ...context, state }, thread, { error })];
}
