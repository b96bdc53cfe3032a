// OpenAI Responses: POST /v1/responses. What a request says is read here; responses-output.ts writes what is answered.
import {
  attachmentsOf,
  type Conversation,
  type Entry,
  partsOf,
  schemaOf,
  type ToolChoice,
  textsOf,
} from './conversation.ts';
import { isObject, type JsonObject, objectsOf, stringOf } from './json.ts';
import { checkPairing } from './pairing.ts';
import type { Exchange, Protocol } from './protocol.ts';
import { responseEvents, responseFailure, responseObject } from './responses-output.ts';
import { badRequest, openaiError } from './vendor-error.ts';

export const responses: Protocol = {
  name: 'responses',
  path: '/v1/responses',
  requestIdHeader: 'x-request-id',
  read: readRequest,
  failureBody: (failure) => openaiError(failure),
};

function readRequest(body: unknown): Exchange {
  if (!isObject(body)) throw badRequest('The request body must be a JSON object.');
  const model = stringOf(body.model);
  if (model === '')
    throw badRequest("Missing required parameter: 'model'.", 'model', 'missing_required_parameter');
  if (typeof body.previous_response_id === 'string') {
    const message = `Previous response with id '${body.previous_response_id}' not found. The development model keeps no responses; send the whole input.`;
    throw badRequest(message, 'previous_response_id', 'previous_response_not_found');
  }
  const entries = readInput(body.input);
  const instructions = stringOf(body.instructions);
  if (instructions !== '') entries.unshift({ role: 'system', text: instructions });
  checkPairing(entries, {
    immediate: false,
    param: 'input',
    unanswered: (ids) => `No tool output found for function call ${ids.join(', ')}.`,
    orphan: (id) => `No tool call found for function call output with call_id ${id}.`,
  });
  const conversation: Conversation = {
    model,
    entries,
    tools: objectsOf(body.tools)
      .filter((tool) => tool.type === 'function')
      .map((tool) => ({ name: stringOf(tool.name), schema: schemaOf(tool.parameters) })),
    toolChoice: readToolChoice(body.tool_choice),
  };
  return {
    conversation,
    stream: body.stream === true,
    caching: true,
    body: (reply) => responseObject(body, reply),
    frames: (reply) => responseEvents(body, reply),
    failureFrames: (failure) => responseFailure(body, failure),
  };
}

function readInput(input: unknown): Entry[] {
  if (typeof input === 'string')
    return [{ role: 'user', texts: input === '' ? [] : [input], attachments: [] }];
  if (!Array.isArray(input)) {
    throw badRequest("Missing required parameter: 'input'.", 'input', 'missing_required_parameter');
  }
  return input.flatMap(readItem);
}

function readItem(item: unknown, index: number): Entry[] {
  const at = `input[${index}]`;
  if (!isObject(item)) throw badRequest(`Invalid type for '${at}': expected an object.`, at, 'invalid_type');
  switch (item.type ?? 'message') {
    case 'message':
      return [readMessage(item, at)];
    case 'function_call': {
      const call = {
        id: stringOf(item.call_id),
        name: stringOf(item.name),
        argumentsJson: stringOf(item.arguments),
      };
      return [{ role: 'assistant', text: '', thinking: '', calls: [call] }];
    }
    case 'function_call_output': {
      const parts = partsOf(item.output, 'input_text');
      const text = textsOf(parts).join('\n');
      const attachments = attachmentsOf(parts);
      return [{ role: 'tool', callId: stringOf(item.call_id), text, attachments, isError: false }];
    }
    case 'reasoning': {
      const thinking = objectsOf(item.summary)
        .map((part) => stringOf(part.text))
        .join('');
      return [{ role: 'assistant', text: '', thinking, calls: [] }];
    }
    default:
      throw badRequest(
        `Invalid value: '${String(item.type)}'. The development model reads 'message', 'function_call', 'function_call_output' and 'reasoning' items.`,
        `${at}.type`,
        'invalid_value',
      );
  }
}

function readMessage(item: JsonObject, at: string): Entry {
  const parts = partsOf(item.content, 'input_text');
  const texts = textsOf(parts);
  switch (item.role) {
    case 'system':
    case 'developer':
      return { role: 'system', text: texts.join('\n') };
    case 'user':
      return { role: 'user', texts, attachments: attachmentsOf(parts) };
    case 'assistant':
      return { role: 'assistant', text: texts.join('\n'), thinking: '', calls: [] };
    default:
      throw badRequest(
        `Invalid value for '${at}.role': expected one of 'assistant', 'system', 'developer', 'user'.`,
        `${at}.role`,
        'invalid_value',
      );
  }
}

function readToolChoice(choice: unknown): ToolChoice {
  if (choice === 'none' || choice === 'required') return choice;
  return isObject(choice) && choice.type === 'function' ? { name: stringOf(choice.name) } : 'auto';
}
