// What the providers publish of their models: list price, context window and longest reply, one card per model.
//   C1 Every figure is the one published on the day its group names; a model nobody looked up has no card.
//   C2 Ids with a date or "-latest" behind them are their model. Any other ending is another model: "-pro" and "-mini" cost differently.
//   C3 A window ends where the list price does: beyond it the provider charges a multiple, which a budget would not see.
import type { Price } from '@capstan/session/harness';

export interface ModelCard {
  /** Tokens of prompt and reply together. */
  contextWindow: number;
  maxOutputTokens: number;
  price: Price;
}

/**
 * Window and longest reply in thousands of tokens, then USD per million tokens: input, output, cache read, and a cache
 * write that is kept for the provider's shortest time (five minutes at Anthropic, half an hour at OpenAI).
 */
type Row = readonly [id: string, window: number, reply: number, ...prices: [number, number, number, number]];

/** https://platform.claude.com/docs/en/about-claude/pricing and /models/<model>/overview; Haiku 5.5 costs five times as much beyond 100k. */
const ANTHROPIC: readonly Row[] = [
  ['claude-fable-5-1', 1000, 128, 10, 50, 0.25, 12.5],
  ['claude-fable-5', 1000, 128, 10, 50, 1, 12.5],
  ['claude-mythos-5-1', 1000, 128, 10, 50, 0.25, 12.5],
  ['claude-mythos-5', 1000, 128, 10, 50, 1, 12.5],
  ['claude-opus-5-5', 1000, 128, 4, 20, 0.2, 5],
  ['claude-opus-5', 1000, 128, 5, 25, 0.5, 6.25],
  ['claude-opus-4-8', 1000, 128, 5, 25, 0.5, 6.25],
  ['claude-opus-4-7', 1000, 128, 5, 25, 0.5, 6.25],
  ['claude-opus-4-6', 1000, 128, 5, 25, 0.5, 6.25],
  ['claude-opus-4-5', 200, 64, 5, 25, 0.5, 6.25],
  ['claude-opus-4-1', 200, 32, 15, 75, 1.5, 18.75],
  ['claude-opus-4', 200, 32, 15, 75, 1.5, 18.75],
  ['claude-sonnet-5-5', 1000, 128, 2, 10, 0.1, 2.5],
  ['claude-sonnet-5', 1000, 128, 2, 10, 0.2, 2.5],
  ['claude-sonnet-4-6', 1000, 128, 3, 15, 0.3, 3.75],
  ['claude-sonnet-4-5', 200, 64, 3, 15, 0.3, 3.75],
  ['claude-sonnet-4', 200, 64, 3, 15, 0.3, 3.75],
  ['claude-haiku-5-5', 100, 128, 0.1, 0.5, 0.01, 0.125],
  ['claude-haiku-4-5', 200, 64, 1, 5, 0.1, 1.25],
  ['claude-3-5-haiku', 200, 8, 0.8, 4, 0.08, 1],
];

/**
 * https://developers.openai.com/api/docs/pricing and /models/<model>. From GPT-5.4 on a prompt beyond 272k costs twice as
 * much. Writing to the cache costs nothing extra before GPT-5.6.
 */
const OPENAI: readonly Row[] = [
  ['gpt-6-astra', 272, 128, 10, 50, 1, 12.5],
  ['gpt-6.1-sol', 272, 128, 2, 10, 0.1, 2.5],
  ['gpt-6.1-terra', 272, 128, 1, 5, 0.05, 1.25],
  ['gpt-6-sol', 272, 128, 2, 10, 0.2, 2.5],
  ['gpt-6-luna', 272, 128, 0.1, 0.5, 0.01, 0.125],
  ['gpt-5.6', 272, 128, 4, 20, 0.4, 5],
  ['gpt-5.6-sol', 272, 128, 4, 20, 0.4, 5],
  ['gpt-5.6-terra', 272, 128, 2, 12, 0.2, 2.5],
  ['gpt-5.6-luna', 272, 128, 0.2, 1.2, 0.02, 0.25],
];

/** As OpenAI's, but last published for these models on the day of their group. */
const OPENAI_EARLIER: readonly Row[] = [
  ['gpt-5.5', 272, 128, 5, 30, 0.5, 5],
  ['gpt-5.4', 272, 128, 2.5, 15, 0.25, 2.5],
  ['gpt-5.4-mini', 272, 128, 0.75, 4.5, 0.075, 0.75],
  ['gpt-5.4-nano', 272, 128, 0.2, 1.25, 0.02, 0.2],
  ['gpt-5.3-codex', 400, 128, 1.75, 14, 0.175, 1.75],
  ['gpt-5.2', 400, 128, 1.75, 14, 0.175, 1.75],
  ['gpt-5.1', 400, 128, 1.25, 10, 0.125, 1.25],
  ['gpt-5', 400, 128, 1.25, 10, 0.125, 1.25],
  ['gpt-5-mini', 400, 128, 0.25, 2, 0.025, 0.25],
  ['gpt-5-nano', 400, 128, 0.05, 0.4, 0.005, 0.05],
  ['gpt-4.1', 1000, 32, 2, 8, 0.5, 2],
  ['gpt-4.1-mini', 1000, 32, 0.4, 1.6, 0.1, 0.4],
  ['o4-mini', 200, 100, 1.1, 4.4, 0.275, 1.1],
  ['gpt-4o', 128, 16, 2.5, 10, 1.25, 2.5],
  ['gpt-4o-mini', 128, 16, 0.15, 0.6, 0.075, 0.15],
];

const CARDS: ReadonlyMap<string, ModelCard> = new Map([
  ...cardsOf(ANTHROPIC, '2026-10-24'),
  ...cardsOf(OPENAI, '2026-10-27'),
  ...cardsOf(OPENAI_EARLIER, '2026-06-01'),
]);

/**
 * What a call at speed "fast" costs, as a multiple of the list price, where that is published: Anthropic's fast mode
 * (https://platform.claude.com/docs/en/build-with-claude/fast-mode, 2026-10-24) and OpenAI's priority processing
 * (https://openai.com/api-priority-processing, 2026-06-01).
 */
const FAST: ReadonlyMap<string, number> = new Map([
  ['claude-opus-5', 2],
  ['claude-opus-4-8', 2],
  ['gpt-5.5', 2.5],
  ['gpt-5.4', 2],
  ['gpt-5.4-mini', 2],
  ['gpt-5.2', 2],
  ['gpt-5.1', 2],
  ['gpt-5', 2],
  ['gpt-5-mini', 1.8],
  ['gpt-4.1', 1.75],
]);

/** Every model that has a card, as its provider lists them. */
export function cardedModels(): [id: string, card: ModelCard][] {
  return [...CARDS];
}

/** The card of a model, or null. */
export function cardOf(modelId: string): ModelCard | null {
  return CARDS.get(familyOf(modelId)) ?? null;
}

/** Null: nobody published what the model costs at that speed. */
export function fastFactorOf(modelId: string): number | null {
  return FAST.get(familyOf(modelId)) ?? null;
}

/** The id without its date: `claude-haiku-4-5-20251001` is `claude-haiku-4-5`. */
function familyOf(modelId: string): string {
  return modelId.toLowerCase().replace(/-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$/, '');
}

function cardsOf(rows: readonly Row[], asOf: string): [string, ModelCard][] {
  return rows.map(([id, window, reply, input, output, cacheRead, cacheWrite]) => {
    const price = priceFrom({ input, output, cacheRead, cacheWrite, asOf });
    return [id, { contextWindow: window * 1_000, maxOutputTokens: reply * 1_000, price }];
  });
}

/** From USD per million tokens to nano-USD per token. */
export function priceFrom(usd: Price): Price {
  const nano = (perMillion: number) => Math.round(perMillion * 1_000);
  return {
    input: nano(usd.input),
    output: nano(usd.output),
    cacheRead: nano(usd.cacheRead),
    cacheWrite: nano(usd.cacheWrite),
    asOf: usd.asOf,
  };
}
