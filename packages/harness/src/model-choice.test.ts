import { describe, expect, it } from 'vitest';
import { configFrom } from './config.ts';
import { chooseModel, unpricedModels } from './model-choice.ts';

const REAL = { OPENAI_API_KEY: 'sk-1', ANTHROPIC_API_KEY: 'sk-2' };
const DEV = { ENVIRONMENT: 'development', DEV_MODEL_URL: 'http://127.0.0.1:1' };

function choose(id: string, values: Record<string, string> = REAL) {
  return chooseModel(configFrom(values), { id });
}

function known(models: unknown, variable = 'MODEL_PRICES') {
  return { ...REAL, [variable]: JSON.stringify(models) };
}

describe('the price of a model', () => {
  it('is its list price in nano-USD per token, with its date', () => {
    expect(choose('claude-sonnet-4-6').price).toEqual({
      input: 3_000,
      output: 15_000,
      cacheRead: 300,
      cacheWrite: 3_750,
      asOf: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
    });
    expect(choose('gpt-6-luna').price).toMatchObject({ input: 100, output: 500, cacheRead: 10 });
  });

  it('is the same for a dated id and for one that names its provider', () => {
    const { price } = choose('claude-haiku-4-5');
    expect(price).not.toBeNull();
    for (const id of ['claude-haiku-4-5-20251001', 'anthropic/claude-haiku-4-5', 'claude-haiku-4-5-latest']) {
      expect([id, choose(id).price]).toEqual([id, price]);
    }
    expect(choose('gpt-5.2-2025-12-11').price).toEqual(choose('gpt-5.2').price);
  });

  it('is unknown for a variant that nobody looked up, however alike its name', () => {
    for (const id of ['gpt-5.5-pro', 'claude-opus-9', 'gpt-5.20', 'my-model', 'constructor', '__proto__']) {
      expect([id, choose(`openai/${id}`).price]).toEqual([`${id}`, null]);
    }
  });

  it('is what the operator says where he says something', () => {
    const values = known({ 'my-model': { input: 1.5, output: 6, as_of: '2026-11-01' } });
    expect(choose('openai/my-model', values).price).toEqual({
      input: 1_500,
      output: 6_000,
      cacheRead: 1_500,
      cacheWrite: 1_500,
      asOf: '2026-11-01',
    });
    const dearer = known({ 'claude-sonnet-4-6': { input: 4, output: 20, cache_read: 0.4, cache_write: 5 } });
    expect(choose('claude-sonnet-4-6', dearer).price).toMatchObject({ input: 4_000, cacheWrite: 5_000 });
  });

  it('of the development model is that of the model it stands in for, or a notional one', () => {
    expect(choose('claude-sonnet-4-6', DEV).price).toEqual(choose('claude-sonnet-4-6').price);
    expect(choose('claude-sonnet-4-6:4000', DEV).price).toEqual(choose('claude-sonnet-4-6').price);
    expect(choose('anything', DEV).price).toMatchObject({ input: 3_000, output: 15_000 });
  });
});

describe('the price of a model at speed "fast"', () => {
  const keys = { ANTHROPIC_API_KEY: 'sk-ant-1', OPENAI_API_KEY: 'sk-1' };
  const fast = (id: string, values: Parameters<typeof configFrom>[0] = keys) =>
    chooseModel(configFrom(values), { id, speed: 'fast' }).price;

  it('is the multiple that its provider publishes for it', () => {
    expect(fast('claude-opus-5')).toMatchObject({ input: 10_000, output: 50_000, cacheRead: 1_000 });
    expect(fast('gpt-5.5-2026-05-01')).toMatchObject({ input: 12_500, output: 75_000, cacheRead: 1_250 });
  });

  it('is unknown where none is published, so that no limit of money counts with too little', () => {
    expect(fast('claude-sonnet-5')).toBeNull();
    const models = [{ id: 'claude-sonnet-5', speed: 'fast' as const }, { id: 'claude-sonnet-5' }];
    for (const values of [keys, {}])
      expect(unpricedModels(configFrom(values), models)).toEqual(['claude-sonnet-5 at speed "fast"']);
  });

  it('is the usual one at a server of one’s own, which is not asked for it', () => {
    const own = { OPENAI_API_KEY: 'sk-1', OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' };
    expect(fast('gpt-5.5', own)).toMatchObject({ input: 5_000, output: 30_000 });
  });
});

const wanted = (...ids: string[]) => ids.map((id) => ({ id }));

describe('unpricedModels', () => {
  it('names the models without a price, in the order given', () => {
    const config = configFrom(known({ mine: { input: 1, output: 2 } }));
    const asked = wanted('openai/other', 'claude-opus-5-5', 'openai/mine', 'mine', 'third');
    expect(unpricedModels(config, asked)).toEqual(['openai/other', 'third']);
  });

  it('judges models by their price where no provider is configured', () => {
    const config = configFrom({});
    const asked = wanted('claude-opus-5-5', 'anthropic/claude-opus-5-5', 'my-model');
    expect(unpricedModels(config, asked)).toEqual(['my-model']);
  });
});

describe('the window of a model', () => {
  it('is its published one', () => {
    expect(choose('claude-opus-4-5')).toMatchObject({ contextWindow: 200_000, maxOutputTokens: 64_000 });
  });

  it('ends where the list price does', () => {
    expect(choose('gpt-6.1-sol').contextWindow).toBe(272_000);
    expect(choose('claude-haiku-5-5').contextWindow).toBe(100_000);
  });

  it('of an unknown model is a small one', () => {
    expect(choose('openai/my-model')).toMatchObject({ contextWindow: 128_000, maxOutputTokens: 8_000 });
  });

  it('is what the operator says where he says something', () => {
    const values = known(
      { tiny: { context: 2_000 }, big: { context: 500_000, output: 50_000 } },
      'MODEL_WINDOWS',
    );
    expect(choose('openai/tiny', values)).toMatchObject({ contextWindow: 2_000, maxOutputTokens: 500 });
    expect(choose('openai/big', values)).toMatchObject({ contextWindow: 500_000, maxOutputTokens: 50_000 });
  });

  it('of the development model can be a part of the id', () => {
    expect(choose('dev/any:4000', { ...REAL, ...DEV })).toMatchObject({
      provider: 'dev',
      model: 'any:4000',
      contextWindow: 4_000,
      maxOutputTokens: 1_000,
    });
    expect(choose('openai/any:4000').contextWindow).toBe(128_000);
  });
});

describe('what the operator says of models', () => {
  const refusal = (variable: string, value: string) => () => configFrom({ [variable]: value });

  it('is refused by the name of the field that is wrong', () => {
    expect(refusal('MODEL_PRICES', '{"m":{"input":-1,"output":2}}')).toThrow(
      /MODEL_PRICES › m › input: must not be negative/,
    );
    expect(refusal('MODEL_PRICES', '{"m":{"input":1,"output":"2"}}')).toThrow(/m › output: must be a number/);
    expect(refusal('MODEL_PRICES', '{"m":{"input":1,"output":0.0001}}')).toThrow(/three decimals/);
    expect(refusal('MODEL_PRICES', '{"m":{"input":1,"output":1,"cached":1}}')).toThrow(/cached/);
    expect(refusal('MODEL_WINDOWS', '{"m":{"context":10}}')).toThrow(
      /MODEL_WINDOWS › m › context: must be at least 100 tokens/,
    );
  });

  it('is refused when it is no JSON', () => {
    expect(refusal('MODEL_PRICES', 'cheap')).toThrow(/MODEL_PRICES: must be JSON/);
  });
});
