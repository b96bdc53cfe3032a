// Model requests that can be begun with what makes them due, in one append: a send, a tool's result or a reply is then on
// the log together with the request that answers it, and a turn waits for one commit less.
import type { SessionEvent } from '@capstan/schema/events';
import { limited } from './agent-limits.ts';
import { budgetOf, grant } from './budget.ts';
import { OVERHEAD_TOKENS, sizeOfContent } from './content-size.ts';
import { type Entry, type Limits, made, noted, ownedBy } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import type { ModelChoice, ModelWanted } from './harness.ts';
import type { ThreadState } from './state.ts';
import { dueInput, sizeOfInput, take } from './taking.ts';
import { tokensOf } from './text-size.ts';
import { agentOf, nextStep } from './thread.ts';

/** Null: nobody is configured to answer for the model; the turn that needs it says so. */
export type Choose = (model: ModelWanted) => ModelChoice | null;

/**
 * The entries with the requests they make due. With a budget, what a request may use is worked out by its turn; and a
 * context that is known to be too long is compacted first.
 */
export function withRequests(context: Context, entries: readonly Entry[], choose: Choose): readonly Entry[] {
  const state = evolveAll(context.state, entries);
  if (budgetOf(state, context.spec) !== null) return entries;
  const due = state.threads.filter(
    (thread) => thread.openSpan === null && !thread.tooLong && nextStep(state, thread).kind === 'model',
  );
  const begun = due.flatMap((thread) => request(context, { thread, entries }, choose));
  return begun.length === 0 ? entries : [...entries, ...begun];
}

/** What decides how long a context may be: kept, so that a log can be replayed where the model is not configured. */
export function limitsOf({ contextWindow, maxOutputTokens }: ModelChoice): Limits {
  return { contextWindow, maxOutputTokens };
}

interface Due {
  thread: ThreadState;
  /** What makes the request due. */
  entries: readonly Entry[];
}

/** What its context was measured to be last, and what has come to it since, as far as that is known here. */
function inputTokens(thread: ThreadState, entries: readonly Entry[]): number {
  const owner = thread.parentId === null ? undefined : thread.id;
  const read = entries.map(({ event, note }) => (note?.thread === owner ? sizeRead(event) : 0));
  const size = [...read, ...dueInput(thread).map(sizeOfInput)].reduce((sum, each) => sum + each, 0);
  return Math.max(thread.contextTokens, OVERHEAD_TOKENS) + tokensOf(size);
}

/** What the agent itself said is measured already. */
function sizeRead(event: SessionEvent): number {
  if (event.processed_at === null || event.type === 'agent.message') return 0;
  return 'content' in event ? sizeOfContent(event.content ?? []) : 0;
}

function request({ state, spec, stamp }: Context, { thread, entries }: Due, choose: Choose): Entry[] {
  const agent = agentOf({ spec, state }, thread);
  const choice = limited(agent, choose(agent.model));
  const reserved = choice && grant(state, spec, { choice, inputTokens: inputTokens(thread, entries) });
  if (choice === null || reserved === null) return [];
  const { provider, model, price } = choice;
  const start = made(stamp, 'span.model_request_start', { capstan: { provider, model } });
  const span = noted(start, { span: { price, reserved, limits: limitsOf(choice) } });
  return [...take(thread, dueInput(thread), stamp), ...ownedBy(thread, [span])];
}
