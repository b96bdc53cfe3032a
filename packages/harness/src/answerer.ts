// Which provider answers for a model id. Decided from the id's prefix and what is configured, never by trying.
//   1. `openai/…`, `anthropic/…` and (in development) `dev/…` name their provider themselves.
//   2. In development with no provider at all, the development model answers for every id.
//   3. `claude…` is Anthropic's; `gpt…`, `o1`, `o3`, `o4`, `chatgpt…`, `codex…`, `ft:…` are OpenAI's.
//   4. Any other id goes to the OpenAI-compatible server at OPENAI_BASE_URL, else to the only provider there is.
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { type ModelChoice, ModelFailure } from '@capstan/session/harness';
import type { HarnessConfig } from './config.ts';

type Provider = 'openai' | 'anthropic';

/** Who answers, without what is known of the model. */
export type Answerer = Pick<ModelChoice, 'provider' | 'model'>;

const OPENAI_IDS = /^(gpt|chatgpt|codex|o[1-9](-|$)|ft:|computer-use)/i;
const ANTHROPIC_IDS = /^claude/i;
const NAMES = { openai: 'OpenAI', anthropic: 'Anthropic' } as const;
const KEYS = { openai: 'OPENAI_API_KEY', anthropic: 'ANTHROPIC_API_KEY' } as const;

/** Throws ModelFailure (not retryable) that says what to set when nobody is configured to answer. */
export function answererOf(config: HarnessConfig, modelId: string): Answerer {
  const named = /^(openai|anthropic|dev)\/(.+)$/s.exec(modelId);
  const [, prefix, rest] = named ?? [];
  if (prefix === 'dev' && config.environment === 'development' && config.devModelUrl !== null) {
    return { provider: 'dev', model: rest ?? modelId };
  }
  if (answersEverything(config)) return { provider: 'dev', model: modelId };
  if ((prefix === 'openai' || prefix === 'anthropic') && rest !== undefined) {
    if (config[prefix] === null) throw nobody(config, modelId, prefix);
    return { provider: prefix, model: rest };
  }
  const provider = familyOf(modelId) ?? fallback(config, modelId);
  if (config[provider] === null) throw nobody(config, modelId, provider);
  return { provider, model: modelId };
}

/** True when the development model stands in for every id. */
export function answersEverything(config: HarnessConfig): boolean {
  return (
    config.environment === 'development' &&
    config.devModelUrl !== null &&
    config.openai === null &&
    config.anthropic === null
  );
}

function familyOf(modelId: string): Provider | null {
  if (ANTHROPIC_IDS.test(modelId)) return 'anthropic';
  return OPENAI_IDS.test(modelId) ? 'openai' : null;
}

function fallback(config: HarnessConfig, modelId: string): Provider {
  if (config.openai !== null && config.openai.baseUrl !== null) return 'openai';
  if (config.openai !== null && config.anthropic === null) return 'openai';
  if (config.anthropic !== null && config.openai === null) return 'anthropic';
  if (config.openai === null) throw nobody(config, modelId, null);
  throw new ModelFailure(
    'model_request_failed_error',
    `The id "${modelId}" does not say which provider serves it, and two are configured. ` +
      `Write it as "openai/${modelId}" or "anthropic/${modelId}" in the agent's model.`,
    { retryable: false, usage: ZERO_MODEL_USAGE },
  );
}

function nobody(config: HarnessConfig, modelId: string, provider: Provider | null): ModelFailure {
  const who = provider === null ? 'No model provider' : `No ${NAMES[provider]} key`;
  const what =
    provider === null
      ? 'Set ANTHROPIC_API_KEY or OPENAI_API_KEY (or OPENAI_BASE_URL for a compatible server)'
      : `Set ${KEYS[provider]}${provider === 'openai' ? ' (or OPENAI_BASE_URL for a compatible server)' : ''}`;
  return new ModelFailure(
    'model_request_failed_error',
    `${who} is configured, so nobody can answer for the model "${modelId}". ${what} ${whereToSet(config)}.`,
    { retryable: false, usage: ZERO_MODEL_USAGE },
  );
}

/** Where a person sets a variable of this deployment. */
export function whereToSet(config: HarnessConfig): string {
  return config.environment === 'development'
    ? 'in .dev.vars at the top of the repository and start again'
    : 'as a secret of the agent Worker (`wrangler secret put NAME -c apps/agent/wrangler.jsonc`)';
}
