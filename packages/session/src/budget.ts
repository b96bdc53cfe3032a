// Budgets: what a session may still spend, and what a model call sets aside before it is made. Fails closed: a call that
// could go beyond a limit is made shorter, or not at all.
import type { Budget } from '@capstan/schema/budgets';
import type { ModelUsage, Money } from '@capstan/schema/usage';
import type { Reserve } from './entry.ts';
import type { ModelChoice, Price } from './harness.ts';
import type { SessionSpec } from './spec.ts';
import type { State } from './state.ts';

/** A reply shorter than this is not worth its prompt: the session pauses instead. */
const SHORTEST_REPLY_TOKENS = 256;
const NANO_USD_PER_CENT = 10_000_000;

export interface Estimate {
  choice: ModelChoice;
  /** What the call will read, in tokens. */
  inputTokens: number;
}

export interface Grant {
  reserved: Reserve;
  /** What the reply may have at most, in tokens. */
  maxOutputTokens: number;
}

export function budgetOf(state: State, spec: SessionSpec): Budget | null {
  return state.budget === undefined ? spec.budget : state.budget;
}

/** A limit is used up: nothing new is begun. */
export function isUsedUp(state: State, spec: SessionSpec): boolean {
  const budget = budgetOf(state, spec);
  return budget !== null && exhausted(state, budget);
}

/** A limit is used up, or too little is left for what waits: nothing new is accepted. */
export function atCap(state: State, spec: SessionSpec): boolean {
  return isUsedUp(state, spec) || state.threads.some(({ paused }) => paused);
}

export function exhausted({ spent }: Pick<State, 'spent'>, budget: Budget): boolean {
  const { max_list_cost: cost, max_tokens: tokens, max_model_calls: calls } = budget;
  return (
    (cost !== undefined && spent.nanoUsd >= toNanoUsd(cost)) ||
    (tokens !== undefined && spent.tokens >= tokens) ||
    (calls !== undefined && spent.modelCalls >= calls)
  );
}

/** What a model call may use, or null when the budget has no room for it. */
export function grant(state: State, spec: SessionSpec, estimate: Estimate): Grant | null {
  const { choice, inputTokens } = estimate;
  const budget = budgetOf(state, spec);
  if (budget === null) return free(choice.maxOutputTokens);
  const held = reservedBy(state);
  if (budget.max_model_calls !== undefined && state.spent.modelCalls + held.calls >= budget.max_model_calls)
    return null;
  const price = choice.price;
  // Several threads that begin at once share what is left.
  const share = 1 / Math.max(1, waitingThreads(state));
  let output = choice.maxOutputTokens;
  if (budget.max_list_cost !== undefined) {
    if (price === null) return null;
    const left = (toNanoUsd(budget.max_list_cost) - state.spent.nanoUsd - held.nanoUsd) * share;
    output = Math.min(output, Math.floor((left - inputTokens * dearestInput(price)) / price.output));
  }
  if (budget.max_tokens !== undefined) {
    const left = (budget.max_tokens - state.spent.tokens - held.tokens) * share;
    output = Math.min(output, Math.floor(left - inputTokens));
  }
  if (output < SHORTEST_REPLY_TOKENS) return null;
  const nanoUsd = price === null ? 0 : inputTokens * dearestInput(price) + output * price.output;
  return { maxOutputTokens: output, reserved: { nanoUsd, tokens: inputTokens + output } };
}

function free(maxOutputTokens: number): Grant {
  return { maxOutputTokens, reserved: { nanoUsd: 0, tokens: 0 } };
}

/** What model calls under way may still cost. */
function reservedBy(state: State): Reserve & { calls: number } {
  const held = { nanoUsd: 0, tokens: 0, calls: 0 };
  const open = state.threads.flatMap((thread) => (thread.openSpan ? [thread.openSpan.reserved] : []));
  if (state.outcome?.phase === 'evaluating') open.push(state.outcome.reserved);
  for (const { nanoUsd, tokens } of open) {
    held.nanoUsd += nanoUsd;
    held.tokens += tokens;
    held.calls += 1;
  }
  return held;
}

function waitingThreads(state: State): number {
  return state.threads.filter((thread) => thread.status === 'running' && thread.openSpan === null).length;
}

function dearestInput(price: Price): number {
  return Math.max(price.input, price.cacheWrite);
}

/** The list price of a model call in nano-USD; null when the model has none. */
export function costOf(usage: ModelUsage, price: Price | null): number | null {
  if (price === null) return null;
  return Math.round(
    usage.input_tokens * price.input +
      usage.output_tokens * price.output +
      usage.cache_read_input_tokens * price.cacheRead +
      usage.cache_creation_input_tokens * price.cacheWrite,
  );
}

/** In whole cents, rounded up. */
export function toMoney(nanoUsd: number): Money {
  return { amount: String(Math.ceil(nanoUsd / NANO_USD_PER_CENT)), currency: 'USD' };
}

function toNanoUsd({ amount }: Money): number {
  return Number(amount) * NANO_USD_PER_CENT;
}
