// The conversation as JSON a test can read back: the same shape whatever protocol carried it.
import { type Conversation, type Entry, joinReplies, type ToolCall } from './conversation.ts';
import type { JsonObject } from './json.ts';

export function describeHistory(conversation: Conversation): string {
  return JSON.stringify({
    model: conversation.model,
    tools: conversation.tools.map((tool) => tool.name),
    messages: joinReplies(conversation.entries).map(describeEntry),
  });
}

function describeEntry(entry: Entry): JsonObject {
  switch (entry.role) {
    case 'system':
      return { role: 'system', text: entry.text };
    case 'user':
      return { role: 'user', text: entry.texts.join('\n'), ...attachments(entry.attachments) };
    case 'assistant':
      return {
        role: 'assistant',
        text: entry.text,
        ...(entry.thinking === '' ? {} : { thinking: entry.thinking }),
        ...(entry.calls.length === 0 ? {} : { tool_calls: entry.calls.map(describeCall) }),
      };
    case 'tool':
      return {
        role: 'tool',
        call_id: entry.callId,
        text: entry.text,
        is_error: entry.isError,
        ...attachments(entry.attachments),
      };
  }
}

function attachments(types: string[]): JsonObject {
  return types.length === 0 ? {} : { attachments: types };
}

function describeCall(call: ToolCall): JsonObject {
  try {
    return { id: call.id, name: call.name, input: JSON.parse(call.argumentsJson) };
  } catch {
    return { id: call.id, name: call.name, input: call.argumentsJson };
  }
}
