// A model request without its vendor: what was said, which tools are offered. Every decision of the development
// model is made from this alone, so the three protocols and any number of instances answer alike.
import { createHash } from 'node:crypto';
import { isObject, type JsonObject, objectsOf, stringOf } from './json.ts';

export interface ToolCall {
  id: string;
  name: string;
  /** The arguments as the request carried them; valid JSON unless the model that made them was not. */
  argumentsJson: string;
}

export interface SystemEntry {
  role: 'system';
  text: string;
}
export interface UserEntry {
  role: 'user';
  texts: string[];
  attachments: string[];
}
export interface AssistantEntry {
  role: 'assistant';
  text: string;
  thinking: string;
  calls: ToolCall[];
}
export interface ToolEntry {
  role: 'tool';
  callId: string;
  text: string;
  attachments: string[];
  isError: boolean;
}
export type Entry = SystemEntry | UserEntry | AssistantEntry | ToolEntry;

export interface OfferedTool {
  name: string;
  schema: JsonObject;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { name: string };

export interface Conversation {
  model: string;
  entries: Entry[];
  tools: OfferedTool[];
  toolChoice: ToolChoice;
}

/** What has happened since the user last spoke. */
export interface Turn {
  /** The texts the user sent in a row, oldest first. */
  texts: string[];
  calls: ToolCall[];
  results: ToolEntry[];
}

export function turnOf(conversation: Conversation): Turn {
  const { entries } = conversation;
  const last = entries.findLastIndex(
    (entry) => entry.role === 'user' && entry.texts.length + entry.attachments.length > 0,
  );
  const since = entries.slice(last + 1);
  let first = last;
  while (first > 0 && ['user', 'system'].includes(entries[first - 1]?.role ?? '')) first -= 1;
  return {
    texts: entries
      .slice(Math.max(first, 0), last + 1)
      .flatMap((entry) => (entry.role === 'user' ? entry.texts : [])),
    calls: since.flatMap((entry) => (entry.role === 'assistant' ? entry.calls : [])),
    results: since.filter((entry) => entry.role === 'tool'),
  };
}

/** Assistant entries in a row as one reply: OpenAI Responses carries a reply as several items. */
export function joinReplies(entries: Entry[]): Entry[] {
  const joined: Entry[] = [];
  for (const entry of entries) {
    const last = joined.at(-1);
    if (entry.role !== 'assistant' || last?.role !== 'assistant') joined.push(entry);
    else {
      joined[joined.length - 1] = {
        role: 'assistant',
        text: [last.text, entry.text].filter((text) => text !== '').join('\n'),
        thinking: last.thinking + entry.thinking,
        calls: [...last.calls, ...entry.calls],
      };
    }
  }
  return joined;
}

/** The same key for the same model and messages, whatever the protocol; different ids of tool calls do not change it. */
export function conversationKey(conversation: Conversation): string {
  const said = joinReplies(conversation.entries).map((entry) => {
    if (entry.role === 'tool') return [entry.role, entry.text];
    if (entry.role === 'assistant') {
      return [entry.role, entry.text, ...entry.calls.map((call) => [call.name, call.argumentsJson])];
    }
    return entry.role === 'user' ? [entry.role, ...entry.texts] : [entry.role, entry.text];
  });
  return createHash('sha256')
    .update(JSON.stringify([conversation.model, said]))
    .digest('hex');
}

/** Message content as a list of parts: a string is one text part of the given type. */
export function partsOf(content: unknown, textType: string): JsonObject[] {
  return typeof content === 'string' ? [{ type: textType, text: content }] : objectsOf(content);
}

const TEXT_TYPES = new Set(['text', 'input_text', 'output_text', 'refusal']);

/** The texts among content parts, empty ones left out. */
export function textsOf(parts: JsonObject[]): string[] {
  return parts
    .filter((part) => TEXT_TYPES.has(stringOf(part.type)))
    .map((part) => stringOf(part.text ?? part.refusal))
    .filter((text) => text.trim() !== '');
}

/** The types of the content parts that are not text, such as `image` or `input_file`. */
export function attachmentsOf(parts: JsonObject[]): string[] {
  return parts.map((part) => stringOf(part.type)).filter((type) => type !== '' && !TEXT_TYPES.has(type));
}

export function schemaOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
