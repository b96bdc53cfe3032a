// Where Anthropic's prompt cache may be cut, and found again by the next call.
//   K1 The prefix that never changes (tools, then system prompt) ends with a mark.
//   K2 The end of the context has a mark, and so has the place where the call before ended: a long step cannot outrun the cache.
//   K3 Marks change nothing else of a request: without them, each call's content is a prefix of the next one's.
import type { AgentInputItem, ModelRequest } from '@openai/agents-core';

const MARK = { anthropic: { cacheControl: { type: 'ephemeral' } } };

/** At most three marks, of the four a request may have. */
export function withCacheMarks(request: ModelRequest): ModelRequest {
  const { systemInstructions, tools } = request;
  const items = marked(typeof request.input === 'string' ? [] : request.input);
  if (systemInstructions === undefined) return { ...request, input: items, tools: lastMarked(tools) };
  const system: AgentInputItem = {
    type: 'message',
    role: 'system',
    content: systemInstructions,
    providerData: MARK,
  };
  // The models' SDK has no other way to mark the system prompt than to send it as the first item.
  return { ...request, systemInstructions: undefined, input: [system, ...items] };
}

function marked(items: AgentInputItem[]): AgentInputItem[] {
  const end = items.findLastIndex(isGiven);
  const reply = items.findLastIndex((item, index) => index < end && !isGiven(item));
  const before = items.findLastIndex((item, index) => index < reply && isGiven(item));
  return items.map((item, index) => (index === end || index === before ? withMark(item) : item));
}

/** What the model is given, as against what it made itself. */
function isGiven(item: AgentInputItem): boolean {
  return item.type === 'function_call_result' || ('role' in item && item.role === 'user');
}

function withMark<T extends { providerData?: Record<string, unknown> }>(value: T): T {
  return { ...value, providerData: { ...value.providerData, ...MARK } };
}

function lastMarked(tools: ModelRequest['tools']): ModelRequest['tools'] {
  const last = tools.at(-1);
  return last?.type === 'function' ? [...tools.slice(0, -1), withMark(last)] : tools;
}
