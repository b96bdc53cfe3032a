// Anthropic Messages: POST /v1/messages.
import type { IncomingHttpHeaders } from 'node:http';
import {
  type AssistantEntry,
  attachmentsOf,
  type Conversation,
  type Entry,
  partsOf,
  schemaOf,
  type ToolChoice,
  textsOf,
} from './conversation.ts';
import { asText, isObject, type JsonObject, objectsOf, stringOf } from './json.ts';
import { checkPairing } from './pairing.ts';
import { type Exchange, type Protocol, sse } from './protocol.ts';
import { argumentPiecesOf, type Block, type Frame, newId, piecesOf, type Reply } from './reply.ts';
import { anthropicError, badRequest } from './vendor-error.ts';

export const messages: Protocol = {
  name: 'messages',
  path: '/v1/messages',
  requestIdHeader: 'request-id',
  read: readRequest,
  failureBody: anthropicError,
};

function readRequest(body: unknown, headers: IncomingHttpHeaders): Exchange {
  if (headers['anthropic-version'] === undefined) throw badRequest('anthropic-version: header is required');
  if (!isObject(body)) throw badRequest('Input should be a valid dictionary');
  const model = stringOf(body.model);
  if (model === '') throw badRequest('model: Field required');
  if (!Array.isArray(body.messages)) throw badRequest('messages: Field required');
  if (body.messages.length === 0) throw badRequest('messages: at least one message is required');
  if (typeof body.max_tokens !== 'number') throw badRequest('max_tokens: Field required');
  if (body.max_tokens < 1) throw badRequest('max_tokens: Input should be greater than or equal to 1');
  const system = textsOf(partsOf(body.system, 'text')).join('\n');
  const said = body.messages.flatMap(readMessage);
  const entries: Entry[] = system === '' ? said : [{ role: 'system', text: system }, ...said];
  checkPairing(entries, {
    immediate: true,
    param: 'messages',
    unanswered: (ids) =>
      `messages: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${ids.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
    orphan: (id) =>
      `messages: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
  });
  const conversation: Conversation = {
    model,
    entries,
    tools: objectsOf(body.tools)
      .filter((tool) => isObject(tool.input_schema))
      .map((tool) => ({ name: stringOf(tool.name), schema: schemaOf(tool.input_schema) })),
    toolChoice: readToolChoice(body.tool_choice),
  };
  return {
    conversation,
    stream: body.stream === true,
    caching: asksForCaching(body),
    body: (reply) => message(model, reply),
    frames: (reply) => frames(model, reply),
    failureFrames: (failure) => sse(anthropicError(failure, newId('req')), 'error'),
  };
}

function asksForCaching(body: JsonObject): boolean {
  const marked = (value: unknown) => objectsOf(value).some((part) => isObject(part.cache_control));
  return (
    isObject(body.cache_control) ||
    marked(body.system) ||
    marked(body.tools) ||
    objectsOf(body.messages).some((said) => marked(said.content))
  );
}

function readMessage(said: unknown, index: number): Entry[] {
  const at = `messages.${index}`;
  if (!isObject(said)) throw badRequest(`${at}: Input should be a valid dictionary`);
  if (typeof said.content !== 'string' && !Array.isArray(said.content)) {
    throw badRequest(`${at}.content: Input should be a valid string or a list of content blocks`);
  }
  const parts = partsOf(said.content, 'text');
  if (said.role === 'user') return readUser(parts);
  if (said.role === 'assistant') return [readAssistant(parts)];
  if (said.role === 'system') return [{ role: 'system', text: textsOf(parts).join('\n') }];
  throw badRequest(`${at}.role: Input should be 'user' or 'assistant'`);
}

/** Tool results and text keep their order, so that text before a result is seen for the mistake it is. */
function readUser(parts: JsonObject[]): Entry[] {
  const entries: Entry[] = [];
  for (const part of parts) {
    if (part.type === 'tool_result') {
      const content = partsOf(part.content, 'text');
      entries.push({
        role: 'tool',
        callId: stringOf(part.tool_use_id),
        text: textsOf(content).join('\n'),
        attachments: attachmentsOf(content),
        isError: part.is_error === true,
      });
      continue;
    }
    const last = entries.at(-1);
    const user = last?.role === 'user' ? last : { role: 'user' as const, texts: [], attachments: [] };
    if (user !== last) entries.push(user);
    user.texts.push(...textsOf([part]));
    user.attachments.push(...attachmentsOf([part]));
  }
  return entries;
}

function readAssistant(parts: JsonObject[]): AssistantEntry {
  return {
    role: 'assistant',
    text: textsOf(parts).join('\n'),
    thinking: parts.map((part) => (part.type === 'thinking' ? stringOf(part.thinking) : '')).join(''),
    calls: parts
      .filter((part) => part.type === 'tool_use')
      .map((part) => ({
        id: stringOf(part.id),
        name: stringOf(part.name),
        argumentsJson: asText(part.input),
      })),
  };
}

function readToolChoice(choice: unknown): ToolChoice {
  if (!isObject(choice)) return 'auto';
  if (choice.type === 'none') return 'none';
  if (choice.type === 'any') return 'required';
  return choice.type === 'tool' ? { name: stringOf(choice.name) } : 'auto';
}

function usageOf({ usage }: Reply) {
  return {
    input_tokens: usage.inputTokens - usage.cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: usage.cachedTokens,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: usage.outputTokens,
    output_tokens_details: { thinking_tokens: usage.reasoningTokens },
    server_tool_use: null,
    service_tier: 'standard',
    inference_geo: null,
    speed: null,
  };
}

const STOP = { end: 'end_turn', calls: 'tool_use', length: 'max_tokens', refusal: 'refusal' } as const;

function stopOf(reply: Reply) {
  const explanation = reply.blocks.find((block) => block.kind === 'refusal')?.text ?? null;
  return {
    stop_reason: STOP[reply.stop],
    stop_sequence: null,
    stop_details: reply.stop === 'refusal' ? { type: 'refusal', category: null, explanation } : null,
  };
}

const SIGNATURE = Buffer.from('capstan development model').toString('base64');

/** A block as it stands when complete. A refusal has none: it is a stop reason. */
function contentOf(block: Block): JsonObject[] {
  switch (block.kind) {
    case 'text':
      return [{ type: 'text', text: block.text, citations: null }];
    case 'thinking':
      return [{ type: 'thinking', thinking: block.text, signature: SIGNATURE }];
    case 'call':
      return [
        { type: 'tool_use', id: newId('toolu'), name: block.name, input: inputOf(block.argumentsJson) },
      ];
    case 'refusal':
      return [];
  }
}

/** Outside a stream the input is a JSON value; arguments that are not JSON are shown as the text they are. */
function inputOf(argumentsJson: string): unknown {
  try {
    return JSON.parse(argumentsJson);
  } catch {
    return argumentsJson;
  }
}

function message(model: string, reply: Reply) {
  return {
    id: newId('msg'),
    type: 'message',
    role: 'assistant',
    model,
    content: reply.blocks.flatMap(contentOf),
    ...stopOf(reply),
    container: null,
    diagnostics: null,
    usage: usageOf(reply),
  };
}

function* frames(model: string, reply: Reply): Generator<Frame> {
  const frame = (type: string, members: JsonObject, beat = false): Frame => ({
    data: sse({ type, ...members }, type),
    beat,
  });
  const open = { ...message(model, { ...reply, blocks: [] }), stop_reason: null, stop_details: null };
  yield frame('message_start', {
    message: { ...open, usage: { ...open.usage, output_tokens: 1, output_tokens_details: null } },
  });
  let index = 0;
  for (const block of reply.blocks) {
    for (const content of contentOf(block)) {
      yield frame('content_block_start', { index, content_block: emptied(content) });
      if (index === 0) yield frame('ping', {});
      for (const delta of deltasOf(block)) yield frame('content_block_delta', { index, delta }, true);
      yield frame('content_block_stop', { index });
      index += 1;
    }
  }
  yield frame('message_delta', { delta: stopOf(reply), usage: usageOf(reply) });
  yield frame('message_stop', {});
}

function emptied(content: JsonObject): JsonObject {
  if (content.type === 'text') return { ...content, text: '' };
  if (content.type === 'thinking') return { ...content, thinking: '', signature: '' };
  return { ...content, input: {} };
}

function deltasOf(block: Block): JsonObject[] {
  switch (block.kind) {
    case 'text':
      return piecesOf(block.text).map((text) => ({ type: 'text_delta', text }));
    case 'thinking':
      return [
        ...piecesOf(block.text).map((thinking) => ({ type: 'thinking_delta', thinking })),
        { type: 'signature_delta', signature: SIGNATURE },
      ];
    case 'call':
      return ['', ...argumentPiecesOf(block.argumentsJson)].map((partial_json) => ({
        type: 'input_json_delta',
        partial_json,
      }));
    case 'refusal':
      return [];
  }
}
