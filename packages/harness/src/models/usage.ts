// Token usage as the Managed Agents API counts: input tokens do not include what was read from or written to the cache.
import type { ModelUsage } from '@capstan/schema/usage';
import { at, count } from './values.ts';

/** More than any call can use: what a server says beyond it is no count, and would break whatever adds it up. */
const MOST_TOKENS = 1_000_000_000;
const tokens = (said: unknown) => Math.min(count(said), MOST_TOKENS);

/** From the SDK's usage of one response, whose input tokens include the cached ones. */
export function toUsage(usage: unknown): ModelUsage {
  const details = at(usage, 'inputTokensDetails', 0) ?? at(usage, 'inputTokensDetails');
  const read = tokens(at(details, 'cached_tokens'));
  const written = tokens(at(details, 'cache_write_tokens'));
  return {
    input_tokens: Math.max(0, tokens(at(usage, 'inputTokens')) - read - written),
    output_tokens: tokens(at(usage, 'outputTokens')),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
  };
}
