// Items of a finished reply as the session's outputs, each with what its provider wants back.
import type { ModelOutput } from '@capstan/session/harness';
import { MAX_NESTING, nestsWithin } from '@capstan/shared/nesting';
import type { AgentOutputItem } from '@openai/agents-core';
import { type Kept, keep } from './replay.ts';
import type { ModelRoute } from './route.ts';
import { at, type Dict, isDict, list, parseJson, text } from './values.ts';

/** Null for items that say nothing, e.g. an empty message. `limited`: the reply ended at the model's output limit. */
export function toOutput(item: AgentOutputItem, route: ModelRoute, limited: boolean): ModelOutput | null {
  switch (item.type) {
    case 'message':
      return messageOutput(item, route);
    case 'reasoning':
      return thinkingOutput(item, route);
    case 'function_call':
      return callOutput(item, route, limited);
    default:
      return null;
  }
}

/** The words of a message in which the model declines. */
export function refusalText(item: AgentOutputItem): string | null {
  const refusals = list(at(item, 'content')).map((part) => text(at(part, 'refusal')) ?? '');
  return refusals.join('') || null;
}

function messageOutput(item: AgentOutputItem, route: ModelRoute): ModelOutput | null {
  const parts = list(at(item, 'content')).map((part) => text(at(part, 'text')) ?? '');
  const said = parts.join('');
  if (said === '') return null;
  const phase = at(item, 'phase') ?? at(item, 'providerData', 'phase');
  const known = phase === 'commentary' || phase === 'final_answer';
  return { type: 'message', text: said, ...(known ? { opaque: keep(route.tag, { phase }) } : {}) };
}

function thinkingOutput(item: AgentOutputItem, route: ModelRoute): ModelOutput {
  const kept = keptThinking(item, route);
  return kept === null ? { type: 'thinking' } : { type: 'thinking', opaque: keep(route.tag, kept) };
}

function keptThinking(item: AgentOutputItem, route: ModelRoute): Omit<Kept, 'by'> | null {
  const id = text(at(item, 'id'));
  const thought = list(at(item, 'content')).map((part) => text(at(part, 'text')) ?? '');
  switch (route.dialect) {
    case 'responses': {
      // Nothing is stored at the provider: without its sealed form a reasoning item means nothing there.
      const sealed = text(at(item, 'providerData', 'encrypted_content'));
      if (sealed === undefined) return null;
      return { id, text: thought.join('\n'), data: { encrypted_content: sealed } };
    }
    case 'messages': {
      const data = providerData(item);
      return data === undefined ? null : { text: thought.join(''), data };
    }
    case 'chat': {
      const raw = text(at(item, 'rawContent', 0, 'text'));
      return raw === undefined ? null : { raw: true, text: raw };
    }
  }
}

function callOutput(item: AgentOutputItem, route: ModelRoute, limited: boolean): ModelOutput {
  const name = text(at(item, 'name')) ?? '';
  const args = text(at(item, 'arguments')) ?? '{}';
  const input = parseJson(args);
  const kept: Omit<Kept, 'by'> = { id: text(at(item, 'callId')) };
  const data = route.dialect === 'messages' ? providerData(item) : undefined;
  if (data !== undefined) kept.data = data;
  if (!isDict(input) || !nestsWithin(input)) {
    const cause = limited
      ? 'the reply reached its output limit while they were written'
      : 'they do not parse';
    const problem = isDict(input)
      ? `The arguments nest deeper than ${MAX_NESTING} levels.`
      : `The arguments are not a JSON object: ${cause}.`;
    return { type: 'tool_call', name, input: null, problem, opaque: keep(route.tag, kept) };
  }
  if (JSON.stringify(input) !== args) kept.args = args;
  return { type: 'tool_call', name, input, opaque: keep(route.tag, kept) };
}

/** Without the SDK's own notes. */
function providerData(item: AgentOutputItem): Dict | undefined {
  const found = at(item, 'providerData');
  if (!isDict(found)) return undefined;
  const { model: _model, responseId: _responseId, ...data } = found;
  return Object.keys(data).length === 0 ? undefined : data;
}
