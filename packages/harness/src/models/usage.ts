// Token usage as the Managed Agents API counts: input tokens do not include what was read from or written to the cache.
import type { ModelUsage } from '@capstan/schema/usage';
import { at, count } from './values.ts';

/** From the SDK's usage of one response, whose input tokens include the cached ones. */
export function toUsage(usage: unknown): ModelUsage {
  const details = at(usage, 'inputTokensDetails', 0) ?? at(usage, 'inputTokensDetails');
  const read = count(at(details, 'cached_tokens'));
  const written = count(at(details, 'cache_write_tokens'));
  return {
    input_tokens: Math.max(0, count(at(usage, 'inputTokens')) - read - written),
    output_tokens: count(at(usage, 'outputTokens')),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
  };
}
