// What an operator says of models himself: MODEL_PRICES and MODEL_WINDOWS, both JSON by model id, checked field by field.
import type { Price } from '@capstan/session/harness';
import { z } from 'zod';
import { cardOf, priceFrom } from './model-cards.ts';

export type Prices = ReadonlyMap<string, Price>;

export interface TokenWindow {
  /** Tokens of prompt and reply together. */
  contextWindow: number;
  maxOutputTokens: number;
}

export type Windows = ReadonlyMap<string, TokenWindow>;

/** Used for models of which nothing is known: no model of today holds or says less. */
export const UNKNOWN_WINDOW: TokenWindow = { contextWindow: 128_000, maxOutputTokens: 8_000 };

/** Down to a thousandth of a dollar, so that a token costs whole nano-dollars. */
const usdPerMillion = z
  .number({ error: 'must be a number: USD per million tokens' })
  .min(0, 'must not be negative')
  .max(1_000_000, 'must be at most 1,000,000 USD per million tokens')
  .multipleOf(0.001, 'must have at most three decimals: USD per million tokens');

/** What is not said of the cache costs what input costs. */
export const prices = z
  .record(
    z.string().min(1),
    z.strictObject({
      input: usdPerMillion,
      output: usdPerMillion,
      cache_read: usdPerMillion.optional(),
      cache_write: usdPerMillion.optional(),
      as_of: z.iso.date('must be a date like 2026-01-31').optional(),
    }),
  )
  .transform((set): Prices => {
    const read = Object.entries(set).map(([id, said]): [string, Price] => {
      const { input, output, cache_read: cacheRead = input, cache_write: cacheWrite = input } = said;
      return [id, priceFrom({ input, output, cacheRead, cacheWrite, asOf: said.as_of ?? '' })];
    });
    return new Map(read);
  });

const tokens = z
  .number({ error: 'must be a whole number of tokens' })
  .int('must be a whole number of tokens')
  .min(100, 'must be at least 100 tokens')
  .max(100_000_000, 'must be at most 100,000,000 tokens');

/** `output` left out is what is known of the model, but a quarter of the window at most. */
export const windows = z
  .record(z.string().min(1), z.strictObject({ context: tokens, output: tokens.optional() }))
  .transform((set): Windows => {
    const read = Object.entries(set).map(([id, { context, output }]): [string, TokenWindow] => [
      id,
      { contextWindow: context, maxOutputTokens: output ?? longestReply(id, context) },
    ]);
    return new Map(read);
  });

function longestReply(id: string, context: number): number {
  const known = cardOf(id) ?? UNKNOWN_WINDOW;
  return Math.min(known.maxOutputTokens, Math.floor(context / 4));
}
