// Compaction on the log: the context from some position back is replaced by a summary of it. The rows stay as they are.
import type { ModelUsage } from '@capstan/schema/usage';
import { billOf } from './bill.ts';
import { abandonSpan, giveUp } from './endings.ts';
import { type Entry, made, noted, ownedBy, type Stamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import type { ThreadState } from './state.ts';

/** Compactions in a row that may bring the agent no further. */
export const MAX_COMPACTIONS = 3;

interface Compacted {
  summary: string;
  upTo: number;
  usage: ModelUsage;
}

export function compacted({ summary, upTo, usage }: Compacted, thread: ThreadState, stamp: Stamp): Entry[] {
  const end = made(stamp, 'span.model_request_end', {
    model_request_start_id: thread.openSpan?.id ?? '',
    is_error: false,
    model_usage: usage,
  });
  const bill = thread.openSpan === null ? {} : { bill: billOf('compaction', thread.openSpan, usage) };
  const event = made(stamp, 'agent.thread_context_compacted', {});
  return ownedBy(thread, [noted(end, bill), noted(event, { summary, compactedTo: upTo })]);
}

/** The context does not fit: it is compacted next, unless that has been tried often enough. */
export function compactionLimit(context: Context, thread: ThreadState, message: string): Entry[] {
  const span = abandonSpan(thread, { isError: true, note: { tooLong: true } }, context.stamp);
  if (thread.compactions < MAX_COMPACTIONS) return span;
  const error = { type: 'compaction_limit_reached_error' as const, message };
  const now = { ...context, state: evolveAll(context.state, span) };
  return [...span, ...giveUp(now, thread.id, { error })];
}
