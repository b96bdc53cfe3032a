// OpenAI Chat Completions: POST /v1/chat/completions.
import {
  attachmentsOf,
  type Conversation,
  type Entry,
  type OfferedTool,
  partsOf,
  schemaOf,
  type ToolChoice,
  textsOf,
} from './conversation.ts';
import { isObject, type JsonObject, objectsOf, stringOf } from './json.ts';
import { checkPairing } from './pairing.ts';
import { type Exchange, type Protocol, sse } from './protocol.ts';
import { argumentPiecesOf, type Block, type Frame, newId, piecesOf, type Reply, textOf } from './reply.ts';
import { badRequest, openaiError } from './vendor-error.ts';

export const chatCompletions: Protocol = {
  name: 'chat_completions',
  path: '/v1/chat/completions',
  requestIdHeader: 'x-request-id',
  read: readRequest,
  failureBody: (failure) => openaiError(failure),
};

function readRequest(body: unknown): Exchange {
  if (!isObject(body)) throw badRequest('The request body must be a JSON object.');
  const model = stringOf(body.model);
  if (model === '') throw badRequest('you must provide a model parameter', 'model');
  if (!Array.isArray(body.messages)) {
    throw badRequest("Missing required parameter: 'messages'.", 'messages', 'missing_required_parameter');
  }
  if (body.messages.length === 0) {
    throw badRequest(
      "Invalid 'messages': empty array. Expected at least one message.",
      'messages',
      'empty_array',
    );
  }
  const entries = body.messages.map(readMessage);
  checkPairing(entries, {
    immediate: true,
    param: 'messages',
    unanswered: (ids) =>
      `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${ids.join(', ')}`,
    orphan: (id) =>
      `Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'. No call has the id '${id}'.`,
  });
  const conversation: Conversation = {
    model,
    entries,
    tools: objectsOf(body.tools).flatMap(readTool),
    toolChoice: readToolChoice(body.tool_choice),
  };
  const includeUsage = isObject(body.stream_options) && body.stream_options.include_usage === true;
  return {
    conversation,
    stream: body.stream === true,
    caching: true,
    body: (reply) => completion(model, reply),
    frames: (reply) => chunks(model, reply, includeUsage),
    failureFrames: (failure) => sse(openaiError(failure)),
  };
}

function readMessage(message: unknown, index: number): Entry {
  const at = `messages[${index}]`;
  if (!isObject(message))
    throw badRequest(`Invalid type for '${at}': expected an object.`, at, 'invalid_type');
  const parts = partsOf(message.content, 'text');
  const texts = textsOf(parts);
  const attachments = attachmentsOf(parts);
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', text: texts.join('\n') };
    case 'user':
      return { role: 'user', texts, attachments };
    case 'assistant':
      return {
        role: 'assistant',
        text: texts.join('\n'),
        thinking: stringOf(message.reasoning),
        calls: objectsOf(message.tool_calls).map(readCall),
      };
    case 'tool': {
      const text = texts.join('\n');
      return { role: 'tool', callId: stringOf(message.tool_call_id), text, attachments, isError: false };
    }
    default:
      throw badRequest(
        `Invalid value for '${at}.role': expected one of 'system', 'developer', 'user', 'assistant', 'tool'.`,
        `${at}.role`,
        'invalid_value',
      );
  }
}

function readCall(call: JsonObject) {
  const called = isObject(call.function) ? call.function : {};
  return { id: stringOf(call.id), name: stringOf(called.name), argumentsJson: stringOf(called.arguments) };
}

function readTool(tool: JsonObject): OfferedTool[] {
  if (!isObject(tool.function)) return [];
  return [{ name: stringOf(tool.function.name), schema: schemaOf(tool.function.parameters) }];
}

function readToolChoice(choice: unknown): ToolChoice {
  if (choice === 'none' || choice === 'required') return choice;
  return isObject(choice) && isObject(choice.function) ? { name: stringOf(choice.function.name) } : 'auto';
}

function usageOf({ usage }: Reply) {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

const FINISH = { end: 'stop', calls: 'tool_calls', length: 'length', refusal: 'stop' } as const;

const secondsNow = () => Math.floor(Date.now() / 1000);

function toolCallsOf(blocks: Block[]) {
  return blocks
    .filter((block) => block.kind === 'call')
    .map((block) => ({
      id: newId('call'),
      type: 'function',
      function: { name: block.name, arguments: block.argumentsJson },
    }));
}

function completion(model: string, reply: Reply) {
  const calls = toolCallsOf(reply.blocks);
  const text = textOf(reply.blocks, 'text');
  const thinking = textOf(reply.blocks, 'thinking');
  const message = {
    role: 'assistant',
    content: text === '' && (calls.length > 0 || reply.stop === 'refusal') ? null : text,
    refusal: textOf(reply.blocks, 'refusal') || null,
    annotations: [],
    ...(thinking === '' ? {} : { reasoning: thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  return {
    id: newId('chatcmpl'),
    object: 'chat.completion',
    created: secondsNow(),
    model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: FINISH[reply.stop] }],
    usage: usageOf(reply),
    service_tier: 'default',
    system_fingerprint: null,
  };
}

function* chunks(model: string, reply: Reply, includeUsage: boolean): Generator<Frame> {
  const shared = {
    id: newId('chatcmpl'),
    object: 'chat.completion.chunk',
    created: secondsNow(),
    model,
    service_tier: 'default',
    system_fingerprint: null,
    ...(includeUsage ? { usage: null } : {}),
  };
  const frame = (delta: JsonObject, beat: boolean, finish: string | null = null): Frame => ({
    data: sse({ ...shared, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] }),
    beat,
  });
  yield frame({ role: 'assistant', content: '', refusal: null }, false);
  let index = 0;
  for (const block of reply.blocks) {
    if (block.kind === 'call') {
      const [call] = toolCallsOf([block]);
      yield frame({ tool_calls: [{ index, ...call, function: { name: block.name, arguments: '' } }] }, true);
      for (const piece of argumentPiecesOf(block.argumentsJson)) {
        yield frame({ tool_calls: [{ index, function: { arguments: piece } }] }, true);
      }
      index += 1;
    } else {
      const member = { thinking: 'reasoning', text: 'content', refusal: 'refusal' }[block.kind];
      for (const piece of piecesOf(block.text)) yield frame({ [member]: piece }, true);
    }
  }
  yield frame({}, false, FINISH[reply.stop]);
  if (includeUsage) yield { data: sse({ ...shared, choices: [], usage: usageOf(reply) }), beat: false };
  yield { data: sse('[DONE]'), beat: false };
}
