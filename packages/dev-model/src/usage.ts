// Token figures without a tokenizer: four characters a token, so the same conversation always counts the same.
import type { Conversation, Entry } from './conversation.ts';
import { type Block, textOf, type Usage } from './reply.ts';

export const CHARS_PER_TOKEN = 4;
const TOKENS_PER_ENTRY = 4;
/** Providers cache long prompts only, and in steps. */
const LEAST_CACHED_TOKENS = 1024;
const CACHE_STEP_TOKENS = 128;

export function estimateTokens(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

/** What was said up to and with the last reply counts as cached, as it was sent before. */
export function estimateUsage(conversation: Conversation, blocks: Block[], caching: boolean): Usage {
  const { entries, tools } = conversation;
  const lastReply = entries.findLastIndex((entry) => entry.role === 'assistant');
  const offered = estimateTokens(JSON.stringify(tools));
  const before = lastReply === -1 ? 0 : offered + tokensOf(entries.slice(0, lastReply + 1));
  const cached = caching && before >= LEAST_CACHED_TOKENS ? before - (before % CACHE_STEP_TOKENS) : 0;
  const reasoningTokens = estimateTokens(textOf(blocks, 'thinking'));
  const said = blocks.map((block) => (block.kind === 'call' ? block.name + block.argumentsJson : block.text));
  return {
    inputTokens: promptTokens(conversation),
    cachedTokens: cached,
    outputTokens: Math.max(1, estimateTokens(said.join(''))),
    reasoningTokens,
  };
}

/** What the whole request counts. */
export function promptTokens({ entries, tools }: Pick<Conversation, 'entries' | 'tools'>): number {
  return estimateTokens(JSON.stringify(tools)) + tokensOf(entries);
}

function tokensOf(entries: Entry[]): number {
  return entries.reduce((sum, entry) => sum + TOKENS_PER_ENTRY + estimateTokens(saidIn(entry)), 0);
}

export function saidIn(entry: Entry): string {
  switch (entry.role) {
    case 'user':
      return entry.texts.join('\n');
    case 'assistant':
      return entry.text + entry.thinking + entry.calls.map((call) => call.name + call.argumentsJson).join('');
    case 'system':
    case 'tool':
      return entry.text;
  }
}
