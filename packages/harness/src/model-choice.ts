// Who answers for a model id, and what is known of that model: what the operator says, else its card.
//   M1 A price is what the operator set, else the list price; without either there is none, and nothing is guessed.
//   M2 A model at speed "fast" has the price that is published for that, and none where it is not.
//   M3 The development model costs what the id it stands in for costs, so that budgets can be tried without a provider.
import { isModelFailure, type ModelChoice, type ModelWanted, type Price } from '@capstan/session/harness';
import { type Answerer, answererOf } from './answerer.ts';
import type { HarnessConfig } from './config.ts';
import { cardOf, fastFactorOf, priceFrom } from './model-cards.ts';
import { type TokenWindow, UNKNOWN_WINDOW } from './model-overrides.ts';
import type { TenantModel } from './tenant-models.ts';

/**
 * `card`: the tenant's own for that id, which then decides alone. Throws ModelFailure (not retryable) that says what to
 * set when nobody is configured to answer.
 */
export function chooseModel(
  config: HarnessConfig,
  { id, speed }: ModelWanted,
  card: TenantModel | null = null,
): ModelChoice {
  if (card !== null) return chosenBy(card);
  const answerer = answererOf(config, id);
  const price = priceOf(config, id, answerer);
  return {
    ...answerer,
    ...windowOf(config, id, answerer),
    price: speed === 'fast' && isFast(config, answerer) ? fastPriceOf(answerer.model, price) : price,
  };
}

/** What a provider of the tenant's own charges is known from the card alone. */
function chosenBy({ dialect, model, price, contextWindow, maxOutputTokens }: TenantModel): ModelChoice {
  const known = cardOf(model) ?? UNKNOWN_WINDOW;
  const window = contextWindow ?? known.contextWindow;
  return {
    provider: dialect === 'messages' ? 'anthropic' : 'openai',
    model,
    contextWindow: window,
    maxOutputTokens: maxOutputTokens ?? Math.min(known.maxOutputTokens, Math.floor(window / 4)),
    price,
  };
}

/** Only the providers themselves are asked for speed. */
function isFast(config: HarnessConfig, { provider }: Answerer): boolean {
  return provider !== 'dev' && config[provider]?.baseUrl === null;
}

function fastPriceOf(modelId: string, price: Price | null): Price | null {
  const factor = fastFactorOf(modelId);
  if (factor === null || price === null) return null;
  const { asOf, ...nano } = price;
  const dearer = (perToken: number) => Math.round(perToken * factor);
  return {
    input: dearer(nano.input),
    output: dearer(nano.output),
    cacheRead: dearer(nano.cacheRead),
    cacheWrite: dearer(nano.cacheWrite),
    asOf,
  };
}

/** Which of these models have no known price, in the order given. */
export function unpricedModels(
  config: HarnessConfig,
  models: readonly ModelWanted[],
  cards: readonly TenantModel[] = [],
): string[] {
  const unpriced = models.filter((model) => {
    try {
      const card = cards.find(({ modelId }) => modelId === model.id);
      return chooseModel(config, model, card).price === null;
    } catch (error) {
      // A missing key changes nothing about what a model costs.
      if (!isModelFailure(error)) throw error;
      const id = model.id.replace(/^(?:openai|anthropic)\//, '');
      const unknown = (config.prices.get(model.id) ?? cardOf(id)) === null;
      return unknown || (model.speed === 'fast' && fastFactorOf(id) === null);
    }
  });
  return unpriced.map(({ id, speed }) => (speed === 'fast' ? `${id} at speed "fast"` : id));
}

/** What the development model costs where it stands in for no model with a price. */
const NOTIONAL: Price = priceFrom({ input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75, asOf: '' });

function priceOf(config: HarnessConfig, modelId: string, { provider, model }: Answerer): Price | null {
  const id = provider === 'dev' ? model.replace(FORCED, '') : model;
  const known = config.prices.get(modelId) ?? config.prices.get(id) ?? cardOf(id)?.price;
  return known ?? (provider === 'dev' ? NOTIONAL : null);
}

function windowOf(config: HarnessConfig, modelId: string, { provider, model }: Answerer): TokenWindow {
  const forced = provider === 'dev' ? forcedWindow(model) : null;
  const set = config.windows.get(modelId) ?? config.windows.get(model);
  const { contextWindow, maxOutputTokens } = forced ?? set ?? cardOf(model) ?? UNKNOWN_WINDOW;
  return { contextWindow, maxOutputTokens };
}

/** The development model takes its window from its id, so that a small one can be tried: `dev/any:4000`. */
const FORCED = /:(\d{3,8})$/;

function forcedWindow(model: string): TokenWindow | null {
  const digits = FORCED.exec(model)?.[1];
  if (digits === undefined) return null;
  const contextWindow = Number(digits);
  return { contextWindow, maxOutputTokens: Math.floor(contextWindow / 4) };
}
