// Token usage: of one model call, and summed over a session.
import { z } from 'zod';

const tokens = z.int().min(0);

export const modelUsage = z.object({
  input_tokens: tokens,
  output_tokens: tokens,
  cache_creation_input_tokens: tokens,
  cache_read_input_tokens: tokens,
  speed: z.enum(['standard', 'fast']).optional(),
});
export type ModelUsage = z.infer<typeof modelUsage>;

export const ZERO_MODEL_USAGE: ModelUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

export const money = z.object({ amount: z.string(), currency: z.literal('USD') });

export const sessionUsage = z
  .object({
    input_tokens: tokens,
    output_tokens: tokens,
    cache_read_input_tokens: tokens,
    cache_creation: z.object({ ephemeral_1h_input_tokens: tokens, ephemeral_5m_input_tokens: tokens }),
    active_seconds: z.number().min(0),
    list_cost: money.nullable(),
    server_tool_use: z.object({ web_search_requests: tokens, web_fetch_requests: tokens }).nullable(),
  })
  .meta({ id: 'SessionUsage' });
export type SessionUsage = z.infer<typeof sessionUsage>;

export const ZERO_USAGE: SessionUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 0 },
  active_seconds: 0,
  list_cost: null,
  server_tool_use: null,
};

/** The session's usage after one more model call. */
export function addUsage(total: SessionUsage, call: ModelUsage): SessionUsage {
  return {
    ...total,
    input_tokens: total.input_tokens + call.input_tokens,
    output_tokens: total.output_tokens + call.output_tokens,
    cache_read_input_tokens: total.cache_read_input_tokens + call.cache_read_input_tokens,
    cache_creation: {
      ...total.cache_creation,
      ephemeral_5m_input_tokens:
        total.cache_creation.ephemeral_5m_input_tokens + call.cache_creation_input_tokens,
    },
  };
}
