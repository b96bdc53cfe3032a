// One reader per protocol: stream events of the models' SDK become parts, and the reply is told how it ended.
import type { ModelPart } from '@capstan/session/harness';
import type { StreamEvent } from '@openai/agents-core';
import { StreamFault } from './fault-facts.ts';
import { refusalText } from './output-items.ts';
import type { Reply } from './reply.ts';
import type { Dialect } from './route.ts';
import { at, count, list, text } from './values.ts';

export type Reader = (event: StreamEvent, reply: Reply) => Iterable<ModelPart>;

export const READERS: Record<Dialect, Reader> = {
  chat: readChat,
  responses: readResponses,
  messages: readMessages,
};

function* readChat(event: StreamEvent, reply: Reply): Generator<ModelPart> {
  if (event.type === 'output_text_delta') yield reply.text('message', event.delta);
  else if (event.type === 'model') {
    const choice = list(at(event.event, 'choices')).find((one) => count(at(one, 'index')) === 0);
    const delta = at(choice, 'delta');
    if (text(at(delta, 'reasoning') ?? at(delta, 'reasoning_content'))) yield reply.thinking('reasoning');
    for (const call of list(at(delta, 'tool_calls'))) {
      yield* reply.toolCall(`call:${count(at(call, 'index'))}`, at(call, 'function', 'name'));
    }
    const reason = text(at(choice, 'finish_reason'));
    if (reason !== undefined) reply.stop = CHAT_STOPS[reason] ?? 'done';
  } else if (event.type === 'response_done') {
    const { output, usage } = event.response;
    reply.done(
      output.map((item) => ({ key: item.type ?? '', item })),
      usage,
    );
    noteRefusal(reply, output.map(refusalText));
  }
}

const CHAT_STOPS: Record<string, Reply['stop']> = { length: 'limit', content_filter: 'refused' };

function* readResponses(event: StreamEvent, reply: Reply): Generator<ModelPart> {
  if (event.type === 'output_text_delta') {
    yield reply.text(`item:${count(at(event.providerData, 'output_index'))}`, event.delta);
  } else if (event.type === 'model') {
    const raw = event.event;
    const type = at(raw, 'type');
    if (type === 'response.output_item.added') {
      const key = `item:${count(at(raw, 'output_index'))}`;
      const kind = at(raw, 'item', 'type');
      if (kind === 'reasoning') yield reply.thinking(key);
      if (kind === 'function_call') yield* reply.toolCall(key, at(raw, 'item', 'name'));
    } else if (type === 'response.incomplete') {
      const filtered = at(raw, 'response', 'incomplete_details', 'reason') === 'content_filter';
      reply.stop = filtered ? 'refused' : 'limit';
    } else if (type === 'response.failed') {
      // The SDK's own error for it says neither code nor message.
      const error = at(raw, 'response', 'error');
      throw new StreamFault(text(at(error, 'code')) ?? 'server_error', text(at(error, 'message')) ?? '');
    }
  } else if (event.type === 'response_done') {
    const { output, usage } = event.response;
    reply.stop = 'done';
    reply.done(
      output.map((item, index) => ({ key: `item:${index}`, item })),
      usage,
    );
    noteRefusal(reply, output.map(refusalText));
  }
}

function* readMessages(event: StreamEvent, reply: Reply): Generator<ModelPart> {
  if (event.type === 'output_text_delta') yield reply.text(`text:${event.itemId ?? ''}`, event.delta);
  else if (event.type === 'model') {
    const part = event.event;
    const type = at(part, 'type');
    if (type === 'reasoning-start') yield reply.thinking(`reasoning:${at(part, 'id')}`);
    else if (type === 'tool-input-start')
      yield* reply.toolCall(`call:${at(part, 'id')}`, at(part, 'toolName'));
    else if (type === 'finish') noteMessagesStop(part, reply);
  } else if (event.type === 'response_done') {
    const { output, usage } = event.response;
    const keyed = output.map((item) => {
      const kind = item.type === 'message' ? 'text' : (item.type ?? '');
      return { key: `${kind}:${at(item, 'id') ?? ''}`, item };
    });
    reply.done(keyed, usage);
  }
}

/** A finish without a stop reason of the provider's comes from the client library: the stream was cut. */
function noteMessagesStop(part: unknown, reply: Reply): void {
  const raw = text(at(part, 'finishReason', 'raw'));
  if (raw === undefined) reply.stop = 'cut';
  else if (raw === 'refusal') reply.stop = 'refused';
  else reply.stop = raw === 'max_tokens' || raw === 'model_context_window_exceeded' ? 'limit' : 'done';
  const details = at(part, 'providerMetadata', 'anthropic', 'stopDetails');
  const category = REFUSAL_CATEGORIES.find((name) => name === at(details, 'category')) ?? null;
  reply.refusal = { type: 'refusal', category, explanation: text(at(details, 'explanation')) ?? null };
}

const REFUSAL_CATEGORIES = ['cyber', 'bio', 'frontier_llm', 'reasoning_extraction', 'general_harms'] as const;

function noteRefusal(reply: Reply, texts: readonly (string | null)[]): void {
  const explanation = texts.find((found) => found !== null) ?? null;
  if (explanation === null) return;
  reply.stop = 'refused';
  reply.refusal = { type: 'refusal', category: null, explanation };
}
