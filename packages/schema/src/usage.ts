// Token usage: of one model call, summed over a session, and reported over time from the ledger.
import { z } from 'zod';
import { pageOf, pageQuery, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

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
export type Money = z.infer<typeof money>;

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

/** As the event tells it: what there is nothing to say of is absent there, where the session has null. */
export const toldUsage = z
  .object({
    ...sessionUsage.shape,
    list_cost: money.optional(),
    server_tool_use: sessionUsage.shape.server_tool_use.unwrap().optional(),
  })
  .meta({ id: 'ToldUsage' });
export type ToldUsage = z.infer<typeof toldUsage>;

export function tellUsage({ list_cost, server_tool_use, ...usage }: SessionUsage): ToldUsage {
  return { ...usage, ...(list_cost && { list_cost }), ...(server_tool_use && { server_tool_use }) };
}

export const ZERO_USAGE: SessionUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 0 },
  active_seconds: 0,
  list_cost: null,
  server_tool_use: null,
};

/** What a model call read and wrote, in tokens: the context it leaves behind. */
export function contextTokens(usage: ModelUsage): number {
  return (
    usage.input_tokens +
    usage.output_tokens +
    usage.cache_creation_input_tokens +
    usage.cache_read_input_tokens
  );
}

/** Two calls as one. */
export function addModelUsage(one: ModelUsage, other: ModelUsage): ModelUsage {
  return {
    ...one,
    input_tokens: one.input_tokens + other.input_tokens,
    output_tokens: one.output_tokens + other.output_tokens,
    cache_creation_input_tokens: one.cache_creation_input_tokens + other.cache_creation_input_tokens,
    cache_read_input_tokens: one.cache_read_input_tokens + other.cache_read_input_tokens,
  };
}

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

/** The session's usage after one more call of a tool: only those of the web are counted. */
export function addWebUse(total: SessionUsage, tool: string): SessionUsage {
  const { web_search_requests: searches, web_fetch_requests: fetches } = total.server_tool_use ?? NO_WEB_USE;
  if (tool === 'web_search')
    return { ...total, server_tool_use: { web_search_requests: searches + 1, web_fetch_requests: fetches } };
  if (tool === 'web_fetch')
    return { ...total, server_tool_use: { web_search_requests: searches, web_fetch_requests: fetches + 1 } };
  return total;
}

const NO_WEB_USE = { web_search_requests: 0, web_fetch_requests: 0 };

export const usageGroup = z.enum(['day', 'model', 'agent', 'session']);
export type UsageGroup = z.infer<typeof usageGroup>;

/** What the model calls of one day, model, agent or session took together. */
export const usageSummary = z
  .object({
    type: z.literal('usage_summary'),
    /** `2026-11-21`, `provider/model`, an agent's id or a session's. */
    group: z.string(),
    model_calls: tokens,
    input_tokens: tokens,
    output_tokens: tokens,
    cache_read_input_tokens: tokens,
    cache_creation_input_tokens: tokens,
    /** In whole cents, rounded up; null when no call has a known price. */
    list_cost: money.nullable(),
    /** The same in billionths of a dollar. */
    list_cost_nano_usd: tokens.nullable(),
    /** Calls without a known price: they are not in the cost. */
    unpriced_model_calls: tokens,
    /** Calls that never answered (interrupted, cut off, dead with their process): what they took is an estimate. */
    estimated_model_calls: tokens,
  })
  .meta({ id: 'UsageSummary' });
export type UsageSummary = z.infer<typeof usageSummary>;

export const usageRoutes = {
  summarize: defineRoute({
    method: 'get',
    path: '/v1/usage',
    operationId: 'summarizeUsage',
    summary: 'Sum up what model calls took, by day, model, agent or session',
    tag: 'Usage',
    access: 'key',
    query: pageQuery({ default: 100, max: 1000 }).extend({
      /** From then on. Absent: from the first call on. */
      from: timestamp.optional(),
      /** Until before then. Absent: to the last call. */
      to: timestamp.optional(),
      group_by: usageGroup.default('day'),
    }),
    response: pageOf(usageSummary),
  }),
};
