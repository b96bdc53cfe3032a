// The Response object of OpenAI Responses and the events that build it up in a stream.
import { type JsonObject, objectsOf } from './json.ts';
import { sse } from './protocol.ts';
import { argumentPiecesOf, type Block, type Frame, newId, piecesOf, type Reply } from './reply.ts';
import { type Failure, openaiError } from './vendor-error.ts';

const secondsNow = () => Math.floor(Date.now() / 1000);

/** The request's own settings are repeated in every response, with the vendor's defaults for those left out. */
function skeleton(request: JsonObject): JsonObject {
  return {
    id: newId('resp'),
    object: 'response',
    created_at: secondsNow(),
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: request.max_tool_calls ?? null,
    model: request.model,
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    reasoning: request.reasoning ?? { effort: null, summary: null },
    safety_identifier: request.safety_identifier ?? null,
    service_tier: 'default',
    store: request.store ?? true,
    temperature: request.temperature ?? 1,
    text: request.text ?? { format: { type: 'text' }, verbosity: 'medium' },
    tool_choice: request.tool_choice ?? 'auto',
    tools: objectsOf(request.tools),
    top_logprobs: 0,
    top_p: request.top_p ?? 1,
    truncation: request.truncation ?? 'disabled',
    usage: null,
    user: request.user ?? null,
    metadata: request.metadata ?? {},
  };
}

function finished(started: JsonObject, output: JsonObject[], reply: Reply): JsonObject {
  const { usage, stop } = reply;
  return {
    ...started,
    status: stop === 'length' ? 'incomplete' : 'completed',
    completed_at: stop === 'length' ? null : secondsNow(),
    incomplete_details: stop === 'length' ? { reason: 'max_output_tokens' } : null,
    output,
    usage: {
      input_tokens: usage.inputTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens, cache_write_tokens: 0 },
      output_tokens: usage.outputTokens,
      output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      total_tokens: usage.inputTokens + usage.outputTokens,
    },
  };
}

function itemOf(block: Block, request: JsonObject, reply: Reply): JsonObject {
  const status = reply.stop === 'length' ? 'incomplete' : 'completed';
  switch (block.kind) {
    case 'call':
      return {
        id: newId('fc'),
        type: 'function_call',
        status,
        call_id: newId('call'),
        name: block.name,
        arguments: block.argumentsJson,
      };
    case 'thinking': {
      const sealed =
        Array.isArray(request.include) && request.include.includes('reasoning.encrypted_content');
      const encrypted = sealed ? { encrypted_content: Buffer.from(block.text).toString('base64') } : {};
      return {
        id: newId('rs'),
        type: 'reasoning',
        summary: [{ type: 'summary_text', text: block.text }],
        ...encrypted,
      };
    }
    case 'text':
    case 'refusal':
      return { id: newId('msg'), type: 'message', status, role: 'assistant', content: [partOf(block)] };
  }
}

function partOf(block: Block & { text: string }): JsonObject {
  return block.kind === 'refusal'
    ? { type: 'refusal', refusal: block.text }
    : { type: 'output_text', text: block.text, annotations: [], logprobs: [] };
}

export function responseObject(request: JsonObject, reply: Reply): JsonObject {
  const output = reply.blocks.map((block) => itemOf(block, request, reply));
  return finished(skeleton(request), output, reply);
}

type Step = [type: string, members: JsonObject, beat?: boolean];

/** The events of one response, numbered from zero. */
export function* responseEvents(request: JsonObject, reply: Reply): Generator<Frame> {
  const started = skeleton(request);
  const output = reply.blocks.map((block) => itemOf(block, request, reply));
  let sequence_number = 0;
  const frame = ([type, members, beat = false]: Step): Frame => ({
    data: sse({ type, sequence_number: sequence_number++, ...members }, type),
    beat,
  });
  yield frame(['response.created', { response: started }]);
  yield frame(['response.in_progress', { response: started }]);
  for (const [output_index, block] of reply.blocks.entries()) {
    const item = output[output_index] ?? {};
    yield frame(['response.output_item.added', { output_index, item: begun(item) }]);
    for (const step of stepsOf(block, { item_id: item.id, output_index })) yield frame(step);
    yield frame(['response.output_item.done', { output_index, item }]);
  }
  const end = reply.stop === 'length' ? 'response.incomplete' : 'response.completed';
  yield frame([end, { response: finished(started, output, reply) }]);
}

function begun(item: JsonObject): JsonObject {
  if (item.type === 'reasoning') return { ...item, summary: [] };
  if (item.type === 'function_call') return { ...item, status: 'in_progress', arguments: '' };
  return { ...item, status: 'in_progress', content: [] };
}

function stepsOf(block: Block, place: JsonObject): Step[] {
  switch (block.kind) {
    case 'call': {
      const { argumentsJson, name } = block;
      return [
        ...argumentPiecesOf(argumentsJson).map(
          (delta): Step => ['response.function_call_arguments.delta', { ...place, delta }, true],
        ),
        ['response.function_call_arguments.done', { ...place, name, arguments: argumentsJson }],
      ];
    }
    case 'thinking': {
      const at = { ...place, summary_index: 0 };
      const { text } = block;
      return [
        ['response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } }],
        ...piecesOf(text).map(
          (delta): Step => ['response.reasoning_summary_text.delta', { ...at, delta }, true],
        ),
        ['response.reasoning_summary_text.done', { ...at, text }],
        ['response.reasoning_summary_part.done', { ...at, part: { type: 'summary_text', text } }],
      ];
    }
    case 'text':
    case 'refusal':
      return messageSteps(block, { ...place, content_index: 0 });
  }
}

function messageSteps(block: Block & { kind: 'text' | 'refusal' }, at: JsonObject): Step[] {
  const { kind, text } = block;
  const event = kind === 'text' ? 'response.output_text' : 'response.refusal';
  const extra = kind === 'text' ? { logprobs: [] } : {};
  return [
    ['response.content_part.added', { ...at, part: partOf({ ...block, text: '' }) }],
    ...piecesOf(text).map((delta): Step => [`${event}.delta`, { ...at, delta, ...extra }, true]),
    [`${event}.done`, { ...at, [kind]: text, ...extra }],
    ['response.content_part.done', { ...at, part: partOf(block) }],
  ];
}

/** A stream that ends badly: the response fails, with the error in it. */
export function responseFailure(request: JsonObject, failure: Failure): string {
  const { error } = openaiError(failure);
  const code = failure.status === 429 ? 'rate_limit_exceeded' : 'server_error';
  const response = { ...skeleton(request), status: 'failed', error: { code, message: error.message } };
  // Clients read the order from sequence_number; a number above any stream's keeps this event the last.
  return sse({ type: 'response.failed', sequence_number: 1_000_000, response }, 'response.failed');
}
