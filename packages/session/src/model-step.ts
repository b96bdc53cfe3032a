// One model call of a thread: previews while it streams, one commit when it is whole. Of a call that dies, what readers
// were shown is kept, and its error. A context that would not fit is compacted first.
import type { ModelUsage } from '@capstan/schema/usage';
import { limited, replyLimit } from './agent-limits.ts';
import type { Estimate } from './budget.ts';
import { compact, contextSize, isTooLong, unreadable } from './compaction.ts';
import type { Failure } from './endings.ts';
import { engineTools } from './engine-tools.ts';
import type { ModelCall, ModelChoice, ModelPart } from './harness.ts';
import { ModelFailure } from './harness.ts';
import { inputHash } from './input-hash.ts';
import { toFailure } from './model-failures.ts';
import { judge } from './permission-judge.ts';
import { Previews } from './previews.ts';
import type { IdentifiedOutput } from './reply.ts';
import type { ThreadState } from './state.ts';
import { agentNow, agentOf, threadById } from './thread.ts';
import type { Desk, Turn } from './turn.ts';

type End = Extract<ModelPart, { type: 'end' }>;

export async function callModel(turn: Turn, desk: Desk, thread: ThreadState): Promise<void> {
  const previews = new Previews(desk, thread.parentId === null ? null : thread.id);
  // Nothing more is told of a reply that nobody will have.
  const stop = () => previews.close();
  turn.signal.addEventListener('abort', stop, { once: true });
  try {
    await attempt(turn, desk, { thread, previews });
  } catch (error) {
    if (turn.signal.aborted) return;
    const failure = toFailure(error, desk, thread);
    await previews.settled();
    const kept = previews.kept();
    if (failure !== 'too_long') await desk.submit(turn.id, { kind: 'failed', failure, kept });
    else await desk.submit(turn.id, { kind: 'too_long', message: TOO_LONG, kept });
  } finally {
    turn.signal.removeEventListener('abort', stop);
    previews.close();
  }
}

/** It stays on the log, and what is sent next is answered. */
function cannotRead(tokens: number, { model, contextWindow }: ModelChoice): Failure {
  const message =
    `The message is longer than the model can read: about ${tokens} tokens, and ${model} reads ${contextWindow}. ` +
    'Send it in parts, or put it into a file that the agent can read in parts.';
  const error = { type: 'model_request_failed_error' as const, message };
  return { error, retryable: false, took: 'unasked', jitter: 0 };
}

const TOO_LONG = 'The conversation is longer than the model can read, and compacting it has not helped.';

interface Attempt {
  thread: ThreadState;
  previews: Previews;
}

async function attempt(turn: Turn, desk: Desk, { thread, previews }: Attempt): Promise<void> {
  const context = desk.context(thread.id);
  const [items] = await Promise.all([context.items(), desk.harness.ready()]);
  const agent = agentOf({ spec: desk.spec, state: desk.state() }, thread);
  const model = desk.harness.choose(agent.model);
  const choice = limited(agent, model);
  const unread = unreadable(items, thread, choice);
  if (unread !== null) {
    await desk.submit(turn.id, { kind: 'failed', failure: cannotRead(unread, choice), kept: [] });
    return;
  }
  const estimate = { choice, inputTokens: contextSize(context, thread) };
  if (isTooLong(estimate, thread)) {
    // Begun with what made it due, before anybody knew how long it is.
    if (thread.openSpan !== null)
      await desk.submit(turn.id, { kind: 'too_long', message: TOO_LONG, unasked: true });
    else await compact(turn, desk, { thread, choice: model });
    return;
  }
  if (thread.openSpan === null && !(await begin(turn, desk, { estimate }))) return;
  const call = await toCall(turn, desk, { thread, choice });
  const end = await stream(turn, desk, { call, previews });
  if (turn.signal.aborted) return;
  const named = end.outputs.map((output, index) => identified(output, previews.idOf(index)));
  const { usage, refusal } = end;
  const judged = await judge(turn, desk, { thread, usage, outputs: await Promise.all(named) });
  if (turn.signal.aborted) return;
  await previews.settled();
  await desk.submit(turn.id, { kind: 'reply', ...judged, usage, refusal });
}

interface Beginning {
  estimate: Estimate;
}

/** False: the thread pauses, its budget has no room for the call. */
async function begin(turn: Turn, desk: Desk, { estimate }: Beginning): Promise<boolean> {
  const entries = await desk.submit(turn.id, { kind: 'begin_model', purpose: 'reply', estimate });
  return entries.some(({ event }) => event.type === 'span.model_request_start');
}

interface Calling {
  thread: ThreadState;
  choice: ModelChoice;
}

async function toCall(turn: Turn, desk: Desk, { thread, choice }: Calling): Promise<ModelCall> {
  const { spec } = desk;
  const known = { spec, state: desk.state() };
  const agent = agentOf(known, thread);
  const placed = await desk.context(thread.id).items();
  const shown = placed.findIndex(({ seq }) => seq > thread.mediaFrom);
  const span = threadById(desk.state(), thread.id)?.openSpan;
  return {
    sessionId: spec.sessionId,
    threadId: thread.id,
    turnId: turn.id,
    agent,
    context: placed.map(({ item }) => item),
    tools: engineTools(agentNow(known), thread),
    builtIn: true,
    maxOutputTokens: span?.reserved.output ?? replyLimit(agent, choice),
    mediaFrom: thread.mediaFrom === 0 ? 0 : shown < 0 ? placed.length : shown,
  };
}

async function stream(
  turn: Turn,
  desk: Desk,
  { call, previews }: { call: ModelCall; previews: Previews },
): Promise<End> {
  for await (const part of desk.harness.call(call, turn.signal)) {
    if (turn.signal.aborted) break;
    if (part.type === 'text') previews.text(part.output, part.text);
    else if (part.type === 'thinking') previews.start(part.output, 'agent.thinking');
    else if (part.type === 'tool_call') desk.harness.prepare(part.name);
    else if (part.outputs.length > 0 || part.refusal !== null) return part;
    else throw emptyReply(part.usage);
  }
  throw new ModelFailure('model_request_failed_error', 'The model stopped in the middle of its reply.', {
    retryable: true,
  });
}

function emptyReply(usage: ModelUsage): ModelFailure {
  const message = 'The model gave an empty reply.';
  return new ModelFailure('model_request_failed_error', message, { retryable: true, usage });
}

async function identified(output: End['outputs'][number], id: string): Promise<IdentifiedOutput> {
  if (output.type !== 'tool_call' || output.input === null) return { ...output, id };
  return { ...output, id, hash: await inputHash(output.input) };
}
