// One model call: previews while it streams, one commit when it is whole. A call that dies leaves nothing but its error.
import { isApiError } from '@capstan/schema/error';
import type { Failure } from './endings.ts';
import { isModelFailure, ModelFailure, type ModelPart } from './harness.ts';
import { Previews } from './previews.ts';
import type { Desk, Turn } from './turn.ts';

type End = Extract<ModelPart, { type: 'end' }>;

export async function callModel(turn: Turn, desk: Desk): Promise<void> {
  try {
    const choice = desk.harness.choose(desk.spec.agent.model.id);
    await desk.submit(turn.id, { kind: 'begin_model', choice });
    const previews = new Previews(desk);
    const end = await stream(turn, desk, previews);
    if (turn.signal.aborted) return;
    const outputs = end.outputs.map((output, index) => ({ ...output, id: previews.idOf(index) }));
    await desk.submit(turn.id, { kind: 'reply', outputs, usage: end.usage, refusal: end.refusal });
  } catch (error) {
    if (turn.signal.aborted) return;
    await desk.submit(turn.id, { kind: 'failed', failure: toFailure(error, desk) });
  }
}

async function stream(turn: Turn, desk: Desk, previews: Previews): Promise<End> {
  const call = {
    sessionId: desk.spec.sessionId,
    threadId: desk.spec.threadId,
    agent: desk.spec.agent,
    context: await desk.context.items(),
    tools: [],
    builtIn: true,
    maxOutputTokens: null,
    mediaFrom: 0,
  };
  for await (const part of desk.harness.call(call, turn.signal)) {
    if (turn.signal.aborted) break;
    if (part.type === 'text') previews.text(part.output, part.text);
    else if (part.type === 'thinking') previews.start(part.output, 'agent.thinking');
    else if (part.type === 'tool_call') desk.harness.prepare(part.name);
    else if (part.outputs.length > 0 || part.refusal !== null) return part;
    else
      throw new ModelFailure('model_request_failed_error', 'The model gave an empty reply.', {
        retryable: true,
      });
  }
  throw new ModelFailure('model_request_failed_error', 'The model stopped in the middle of its reply.', {
    retryable: true,
  });
}

function toFailure(error: unknown, desk: Desk): Failure {
  const jitter = desk.random();
  if (isModelFailure(error)) {
    const { type, message, retryable, retryAfterMs } = error;
    return { error: { type, message }, retryable, retryAfterMs, jitter };
  }
  if (isApiError(error) && error.code === 'too_large') {
    const message = 'The reply of the model is too long to keep. Ask it for less at a time.';
    return { error: { type: 'model_request_failed_error', message }, retryable: false, jitter };
  }
  desk.logger.error('model.failed', {}, error);
  const message = 'The model call failed inside the platform; the cause is in the server log.';
  return { error: { type: 'unknown_error', message }, retryable: true, jitter };
}
