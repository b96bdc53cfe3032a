import type { Budget } from '@capstan/schema/budgets';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atCap, costOf, exhausted, grant, toMoney } from './budget.ts';
import type { Reserve } from './entry.ts';
import { foldOf } from './fold.ts';
import type { ModelChoice, Price } from './harness.ts';
import { PRICE } from './scripted-harness.ts';
import {
  NOTHING_SPENT,
  newThread,
  type OpenSpan,
  type Spent,
  type State,
  type ThreadState,
} from './state.ts';
import { World } from './testing.ts';

const { spec } = new World();
const initial = foldOf(spec).initial;
const CENT = 10_000_000;

const choice = (over: Partial<ModelChoice> = {}): ModelChoice => ({
  provider: 'dev',
  model: 'm',
  contextWindow: 200_000,
  maxOutputTokens: 8_000,
  price: PRICE,
  ...over,
});

interface Scene {
  budget: Budget | null;
  spent?: Partial<Spent>;
  /** What calls under way have set aside, a thread each. */
  held?: Reserve[];
  /** Threads that are about to call. */
  waiting?: number;
}

function stateOf({ budget, spent, held = [], waiting = 1 }: Scene): State {
  const open = held.map((reserved, at) => running(`held_${at}`, reserved));
  const due = Array.from({ length: waiting }, (_, at) => running(`due_${at}`, null));
  return { ...initial, budget, spent: { ...NOTHING_SPENT, ...spent }, threads: [...due, ...open] };
}

function running(id: string, reserved: Reserve | null): ThreadState {
  const thread = newThread({ id, name: 'a', createdAt: 0, member: null, parentId: null });
  return { ...thread, status: 'running', openSpan: reserved && callOf(id, reserved) };
}

function callOf(id: string, reserved: Reserve): OpenSpan {
  return { id, kind: 'model', provider: 'dev', model: 'm', price: PRICE, reserved, startedAt: 0 };
}

const ask = (scene: Scene, inputTokens = 1_000, over: Partial<ModelChoice> = {}) =>
  grant(stateOf(scene), spec, { choice: choice(over), inputTokens });
const limit = (limits: Omit<Budget, 'type'>): Budget => ({ type: 'limit', ...limits });
const dollars = (amount: number) => ({ amount: String(amount * 100), currency: 'USD' as const });

describe('what is set aside for a model call', () => {
  it('limits no reply without a budget, and counts the call all the same', () => {
    const nanoUsd = 1_000 * PRICE.cacheWrite + 8_000 * PRICE.output;
    expect(ask({ budget: null })).toEqual({ nanoUsd, tokens: 9_000, input: 1_000, output: null });
  });

  it('is the whole reply where there is room, and the shorter one that fits where there is not', () => {
    expect(ask({ budget: limit({ max_tokens: 9_000 }) })?.output).toBe(8_000);
    expect(ask({ budget: limit({ max_tokens: 8_999 }) })?.output).toBe(7_999);
    // A cent buys the prompt at its dearest, and the rest in output.
    const output = Math.floor((CENT - 1_000 * PRICE.cacheWrite) / PRICE.output);
    const budget = limit({ max_list_cost: { amount: '1', currency: 'USD' } });
    expect(ask({ budget })).toEqual({
      nanoUsd: 1_000 * PRICE.cacheWrite + output * PRICE.output,
      tokens: 1_000 + output,
      input: 1_000,
      output,
    });
  });

  it('is nothing when too little is left for a reply worth its prompt', () => {
    expect(ask({ budget: limit({ max_tokens: 1_256 }) })?.output).toBe(256);
    expect(ask({ budget: limit({ max_tokens: 1_255 }) })).toBeNull();
    const prompt = Math.floor(CENT / PRICE.cacheWrite);
    expect(ask({ budget: limit({ max_list_cost: { amount: '1', currency: 'USD' } }) }, prompt)).toBeNull();
  });

  it('is granted to a model whose replies are short by nature', () => {
    expect(ask({ budget: limit({ max_tokens: 2_000 }) }, 1_000, { maxOutputTokens: 100 })?.output).toBe(100);
  });

  it('counts what is spent and what calls under way may still take', () => {
    const budget = limit({ max_tokens: 10_000 });
    const held = [{ nanoUsd: 0, tokens: 4_000, input: 1_000, output: 3_000 }];
    expect(ask({ budget, held, spent: { tokens: 2_000 } })?.output).toBe(3_000);
    expect(ask({ budget: limit({ max_model_calls: 3 }), held, spent: { modelCalls: 1 } })).not.toBeNull();
    expect(ask({ budget: limit({ max_model_calls: 2 }), held, spent: { modelCalls: 1 } })).toBeNull();
    const cost = limit({ max_list_cost: dollars(1) });
    const dear = [{ nanoUsd: 99 * CENT, tokens: 4_000, input: 1_000, output: 3_000 }];
    expect(ask({ budget: cost, held: dear, spent: { nanoUsd: 0.9 * CENT } })).toBeNull();
  });

  it('counts what the grader has set aside', () => {
    const call = callOf('o', { nanoUsd: 0, tokens: 9_000, input: 1_000, output: 8_000 });
    const outcome = { id: 'o', description: 'd', eventId: 'e', maxIterations: 1, iteration: 0, spanId: 's' };
    const state = stateOf({ budget: limit({ max_tokens: 10_000, max_model_calls: 2 }) });
    const judged = { ...state, outcome: { ...outcome, phase: 'evaluating' as const, call } };
    expect(grant(judged, spec, { choice: choice(), inputTokens: 500 })?.output).toBe(500);
    const last = { ...judged, spent: { ...NOTHING_SPENT, modelCalls: 1 } };
    expect(grant(last, spec, { choice: choice(), inputTokens: 500 })).toBeNull();
  });

  it('is shared by threads that begin at once, and goes to one when a share is too little', () => {
    expect(ask({ budget: limit({ max_tokens: 8_000 }), waiting: 2 })?.output).toBe(3_000);
    expect(ask({ budget: limit({ max_tokens: 2_000 }), waiting: 2 })?.output).toBe(1_000);
    // A share that is just enough is taken.
    expect(ask({ budget: limit({ max_tokens: 2_512 }), waiting: 2 })?.output).toBe(256);
  });

  it('is not shared with threads that rest', () => {
    const state = stateOf({ budget: limit({ max_tokens: 8_000 }) });
    const resting = newThread({ id: 'rests', name: 'a', createdAt: 0, member: null, parentId: null });
    const scene = { ...state, threads: [...state.threads, resting] };
    expect(grant(scene, spec, { choice: choice(), inputTokens: 1_000 })?.output).toBe(7_000);
  });

  it('is nothing when the prompt alone is too dear, also where replies are free', () => {
    const price = { ...PRICE, output: 0 };
    const budget = limit({ max_list_cost: { amount: '1', currency: 'USD' } });
    expect(ask({ budget }, Math.ceil(CENT / PRICE.cacheWrite) + 1, { price })).toBeNull();
    expect(ask({ budget }, 1_000, { price })?.output).toBe(8_000);
  });

  it('takes the tightest of several limits', () => {
    const loose = { max_list_cost: dollars(100), max_tokens: 100_000, max_model_calls: 100 };
    expect(ask({ budget: limit(loose) })?.output).toBe(8_000);
    expect(ask({ budget: limit({ ...loose, max_tokens: 3_000 }) })?.output).toBe(2_000);
    expect(ask({ budget: limit({ ...loose, max_model_calls: 1 }), spent: { modelCalls: 1 } })).toBeNull();
    expect(ask({ budget: limit({ ...loose, max_list_cost: dollars(0.01) }) })?.output).toBe(416);
  });

  it('refuses a model without a price where money is limited, and only there', () => {
    const unpriced = { price: null };
    expect(ask({ budget: limit({ max_list_cost: dollars(5) }) }, 1, unpriced)).toBeNull();
    expect(ask({ budget: limit({ max_tokens: 5_000 }) }, 1_000, unpriced)).toEqual({
      nanoUsd: 0,
      tokens: 5_000,
      input: 1_000,
      output: 4_000,
    });
  });

  it('goes by the other limits for a model that costs nothing', () => {
    const free: Price = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, asOf: '2026-01-01' };
    const budget = limit({ max_list_cost: dollars(1) });
    expect(ask({ budget, spent: { nanoUsd: 100 * CENT } }, 1_000, { price: free })?.output).toBe(8_000);
  });
});

describe('a used up budget', () => {
  it('is one whose any limit is reached', () => {
    const budget = limit({ max_list_cost: dollars(1), max_tokens: 100, max_model_calls: 3 });
    const used = (spent: Partial<Spent>) => exhausted({ spent: { ...NOTHING_SPENT, ...spent } }, budget);
    expect(used({ nanoUsd: 100 * CENT - 1, tokens: 99, modelCalls: 2 })).toBe(false);
    expect(used({ nanoUsd: 100 * CENT })).toBe(true);
    expect(used({ tokens: 100 })).toBe(true);
    expect(used({ modelCalls: 3 })).toBe(true);
  });
});

describe('list cost', () => {
  it('adds up what was read, written and cached, each at its price', () => {
    const usage = {
      input_tokens: 1,
      output_tokens: 10,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 1_000,
    };
    expect(costOf(usage, PRICE)).toBe(3_000 + 150_000 + 30_000 + 3_750_000);
    expect(costOf(usage, null)).toBeNull();
  });

  it('is told in whole cents, rounded up', () => {
    expect([0, 1, CENT, CENT + 1].map((nanoUsd) => toMoney(nanoUsd).amount)).toEqual(['0', '1', '1', '2']);
  });
});

describe('under any schedule of calls', () => {
  const price = fc.record({
    input: fc.nat(100_000),
    output: fc.nat(500_000),
    cacheRead: fc.constant(0),
    cacheWrite: fc.nat(200_000),
    asOf: fc.constant('2026-01-01'),
  });
  const budget = fc
    .record({
      cents: fc.option(fc.integer({ min: 1, max: 500 })),
      tokens: fc.option(fc.integer({ min: 1, max: 50_000 })),
      calls: fc.option(fc.integer({ min: 1, max: 8 })),
    })
    .filter(({ cents, tokens, calls }) => (cents ?? tokens ?? calls) !== null)
    .map(({ cents, tokens, calls }) =>
      limit({
        ...(cents === null ? {} : { max_list_cost: { amount: String(cents), currency: 'USD' } }),
        ...(tokens === null ? {} : { max_tokens: tokens }),
        ...(calls === null ? {} : { max_model_calls: calls }),
      }),
    );
  /** Of what it set aside a call takes so much, or it fails and takes nothing; `ends` says which call of those under way. */
  const step = fc.oneof(
    fc.record({ begins: fc.nat(20_000), most: fc.integer({ min: 1, max: 10_000 }) }),
    fc.record({ ends: fc.nat(5), input: fc.nat(100), output: fc.nat(100), fails: fc.boolean() }),
  );

  it('never spends more than the limits, and never sets aside more than is left', () => {
    fc.assert(
      fc.property(price, budget, fc.array(step, { maxLength: 60 }), (prices, limits, steps) => {
        let spent = NOTHING_SPENT;
        const open: { reserved: Reserve; inputTokens: number }[] = [];
        for (const now of steps) {
          if ('begins' in now) {
            const scene = { budget: limits, spent, held: open.map(({ reserved }) => reserved), waiting: 3 };
            const asked = choice({ price: prices, maxOutputTokens: now.most });
            const estimate = { choice: asked, inputTokens: now.begins };
            const reserved = grant(stateOf(scene), spec, estimate);
            if (reserved) open.push({ reserved, inputTokens: now.begins });
          } else {
            const [call] = open.splice(now.ends % Math.max(1, open.length), 1);
            if (call === undefined || now.fails) continue;
            const usage = {
              input_tokens: 0,
              cache_creation_input_tokens: Math.floor((call.inputTokens * now.input) / 100),
              cache_read_input_tokens: 0,
              output_tokens: Math.floor(((call.reserved.output ?? 0) * now.output) / 100),
            };
            const nanoUsd = costOf({ ...usage, input_tokens: 0 }, prices) ?? 0;
            spent = {
              nanoUsd: spent.nanoUsd + nanoUsd,
              tokens: spent.tokens + usage.cache_creation_input_tokens + usage.output_tokens,
              modelCalls: spent.modelCalls + 1,
              priced: true,
            };
          }
          const held = open.reduce(
            (sum, { reserved }) => ({
              nanoUsd: sum.nanoUsd + reserved.nanoUsd,
              tokens: sum.tokens + reserved.tokens,
            }),
            { nanoUsd: 0, tokens: 0 },
          );
          const { max_list_cost: cost, max_tokens: tokens, max_model_calls: calls } = limits;
          if (cost) expect(spent.nanoUsd + held.nanoUsd).toBeLessThanOrEqual(Number(cost.amount) * CENT);
          if (tokens) expect(spent.tokens + held.tokens).toBeLessThanOrEqual(tokens);
          if (calls) expect(spent.modelCalls + open.length).toBeLessThanOrEqual(calls);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

it('a session that rests because one of its threads has no room takes nothing new', () => {
  const paused = { ...running('paused', null), status: 'idle' as const, paused: true };
  const rests = { ...running('rests', null), status: 'idle' as const };
  const state = { ...initial, budget: limit({ max_tokens: 9_000 }), threads: [rests, paused] };
  expect(atCap(state, spec)).toBe(true);
  expect(atCap({ ...state, threads: [rests] }, spec)).toBe(false);
});
