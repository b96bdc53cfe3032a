// The context as input items of the models' SDK.
//   I1 Every call is followed by its result, in the order of the calls, whatever order the log has them in.
//   I2 A call's id is the provider's own where this model made the call, else the id of its event; a result has its call's.
//   I3 Media that the protocol has no place for in a result follow it as a user message.
//   I4 The same context makes the same items, and a longer one the same first ones: prompt caches live of it.
import type { ContextItem, ModelCall } from '@capstan/session/harness';
import type { AgentInputItem } from '@openai/agents-core';
import { modelToolName } from '../mcp/tool-names.ts';
import { type InputPart, toParts, withheld } from './media.ts';
import { replay } from './replay.ts';
import type { ModelRoute } from './route.ts';
import { defusedPart, systemNotice } from './system-notice.ts';

type Call = Extract<ContextItem, { type: 'tool_call' }>;
type Result = Extract<ContextItem, { type: 'tool_result' }>;

export function toInputItems(
  call: Pick<ModelCall, 'context' | 'mediaFrom'>,
  route: ModelRoute,
): AgentInputItem[] {
  const context = withheld(call);
  const results = new Map<string, Result>();
  for (const item of context) if (item.type === 'tool_result') results.set(item.callId, item);
  const items: AgentInputItem[] = [];
  let open: Call[] = [];
  const close = () => {
    items.push(...resultItems(open, results, route));
    open = [];
  };
  for (const item of context) {
    if (item.type === 'user' || item.type === 'system' || item.type === 'tool_result') close();
    if (item.type === 'tool_call') open.push(item);
    items.push(...toItems(item, route));
  }
  close();
  return items;
}

function toItems(item: ContextItem, route: ModelRoute): AgentInputItem[] {
  switch (item.type) {
    case 'user':
      return userItem(item.content.flatMap((block) => partsFor(block, route)));
    case 'system':
      return route.systemInPlace
        ? [{ type: 'message', role: 'system', content: item.text }]
        : userItem([{ type: 'input_text', text: systemNotice(item.text) }]);
    case 'message': {
      if (item.text === '') return [];
      const phase = replay(route.tag, item.opaque)?.phase;
      const content = [{ type: 'output_text' as const, text: item.text }];
      return [
        { type: 'message', role: 'assistant', status: 'completed', content, ...(phase ? { phase } : {}) },
      ];
    }
    case 'thinking':
      return thinkingItem(item, route);
    case 'tool_call':
      return [callItem(item, route)];
    case 'tool_result':
      return [];
  }
}

/** Words alone go as a string: every compatible server takes that. */
function userItem(content: InputPart[]): AgentInputItem[] {
  const [first] = content;
  if (first === undefined) return [];
  const words = content.length === 1 && first.type === 'input_text' ? first.text : content;
  return [{ type: 'message', role: 'user', content: words }];
}

function thinkingItem(item: Extract<ContextItem, { type: 'thinking' }>, route: ModelRoute): AgentInputItem[] {
  const kept = replay(route.tag, item.opaque);
  if (kept === null) return [];
  const { id, text = '', data } = kept;
  const providerData = data === undefined ? {} : { providerData: data };
  if (kept.raw === true) {
    return [{ type: 'reasoning', content: [], rawContent: [{ type: 'reasoning_text', text }] }];
  }
  // Anthropic's thinking may be empty and signed; an empty summary of OpenAI's has no text at all.
  const content = text === '' && route.dialect === 'responses' ? [] : [{ type: 'input_text' as const, text }];
  return [{ type: 'reasoning', id, content, ...providerData }];
}

function callItem(call: Call, route: ModelRoute): AgentInputItem {
  const kept = replay(route.tag, call.opaque);
  return {
    type: 'function_call',
    callId: kept?.id ?? call.callId,
    name: nameOf(call),
    arguments: kept?.args ?? JSON.stringify(call.input),
    status: 'completed',
    ...(kept?.data === undefined ? {} : { providerData: kept.data }),
  };
}

/** As the model has called it. */
function nameOf({ name, server }: Call): string {
  return server === undefined ? name : modelToolName({ server, name });
}

function resultItems(
  calls: readonly Call[],
  results: ReadonlyMap<string, Result>,
  route: ModelRoute,
): AgentInputItem[] {
  const items: AgentInputItem[] = [];
  const later: InputPart[] = [];
  for (const call of calls) {
    const parts = outputParts(results.get(call.callId), route);
    const kept = parts.filter((part) => fitsResult(part, route));
    const moved = parts.filter((part) => !fitsResult(part, route));
    if (moved.length > 0) {
      kept.push({ type: 'input_text', text: '[The files of this result follow in the next message.]' });
      later.push({ type: 'input_text', text: `[Files of the result of ${call.name}:]` }, ...moved);
    }
    items.push({
      type: 'function_call_result',
      callId: replay(route.tag, call.opaque)?.id ?? call.callId,
      name: call.name,
      status: 'completed',
      output: kept.every((part) => part.type === 'input_text')
        ? kept.map((part) => part.text).join('\n')
        : kept,
    });
  }
  return [...items, ...userItem(later)];
}

function outputParts(result: Result | undefined, route: ModelRoute): InputPart[] {
  if (result === undefined) return [{ type: 'input_text', text: 'No result was recorded for this call.' }];
  const parts = result.content.flatMap((block) => partsFor(block, route));
  if (parts.length === 0) parts.push({ type: 'input_text', text: '(no output)' });
  const [first] = parts;
  // The SDK has no error flag on results: the words have to say it.
  const says = first?.type === 'input_text' && /^\W*(error|failed)/i.test(first.text);
  return result.isError && !says ? [{ type: 'input_text', text: 'Error:' }, ...parts] : parts;
}

function partsFor(block: Parameters<typeof toParts>[0], route: ModelRoute): InputPart[] {
  const parts = toParts(block, route.dialect);
  return route.systemInPlace ? parts : parts.map(defusedPart);
}

function fitsResult(part: InputPart, route: ModelRoute): boolean {
  if (part.type === 'input_text' || route.dialect === 'responses') return true;
  return route.dialect === 'messages' && part.type === 'input_image';
}
