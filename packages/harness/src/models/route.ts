// How a chosen model is reached: its address, its key and which protocol is spoken there.

import { type Answerer, whereToSet } from '../answerer.ts';
import type { HarnessConfig, ProviderConfig } from '../config.ts';

/** OpenAI Responses, OpenAI Chat Completions, Anthropic Messages. */
export type Dialect = 'responses' | 'chat' | 'messages';

export interface ModelRoute {
  dialect: Dialect;
  model: string;
  baseUrl: string;
  apiKey: string | null;
  /** The provider's own servers, not a compatible one: settings others do not know may be sent. */
  official: boolean;
  /** Whether a system message may stand in the middle of the conversation. */
  systemInPlace: boolean;
  /** What replayed provider items are tagged with: only the very same model gets them back. */
  tag: string;
  /** How messages to people name who answered. */
  name: string;
  /** The variables that hold the key and the address. */
  variables: { key: string; address: string };
  /** Where a person sets them. */
  whereToSet: string;
}

const VARIABLES = {
  openai: { key: 'OPENAI_API_KEY', address: 'OPENAI_BASE_URL' },
  anthropic: { key: 'ANTHROPIC_API_KEY', address: 'ANTHROPIC_BASE_URL' },
  dev: { key: 'DEV_MODEL_URL', address: 'DEV_MODEL_URL' },
} as const;

export function routeTo(config: HarnessConfig, choice: Answerer): ModelRoute {
  const { provider, model } = choice;
  const variables = VARIABLES[provider];
  const base = { model, variables, whereToSet: whereToSet(config) };
  switch (provider) {
    case 'dev': {
      const baseUrl = versioned(config.devModelUrl ?? '');
      const found = { baseUrl, apiKey: null, official: false, name: 'The development model' };
      return { ...base, ...found, dialect: 'chat', systemInPlace: true, tag: `dev/chat/${model}` };
    }
    case 'anthropic': {
      const found = server(config.anthropic, { name: 'Anthropic', baseUrl: 'https://api.anthropic.com' });
      const baseUrl = versioned(found.baseUrl);
      const tag = `anthropic/messages/${model}`;
      return { ...base, ...found, baseUrl, dialect: 'messages', systemInPlace: false, tag };
    }
    case 'openai': {
      const dialect = config.openai?.api ?? 'responses';
      const found = server(config.openai, { name: 'OpenAI', baseUrl: 'https://api.openai.com/v1' });
      // Templates of open models want the system message first and refuse any other.
      const systemInPlace = dialect === 'responses' || found.official;
      return { ...base, ...found, dialect, systemInPlace, tag: `openai/${dialect}/${model}` };
    }
  }
}

function server(provider: ProviderConfig | null, official: { name: string; baseUrl: string }) {
  const apiKey = provider?.apiKey ?? null;
  const baseUrl = provider?.baseUrl ?? null;
  if (baseUrl === null) return { ...official, apiKey, official: true };
  return { baseUrl, apiKey, official: false, name: `The model server at ${new URL(baseUrl).host}` };
}

/** ANTHROPIC_BASE_URL is an origin by convention; its client here wants the versioned address. */
export function versioned(baseUrl: string): string {
  return /\/v\d+$/.test(baseUrl) ? baseUrl : `${baseUrl}/v1`;
}
