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

export function budgetOf(state: State, spec: SessionSpec): Budget | null {
  return state.budget === undefined ? spec.budget : state.budget;
}

/** A limit is used up: nothing new is begun. */
export function isUsedUp(state: State, spec: SessionSpec): boolean {
  const budget = budgetOf(state, spec);
  return budget !== null && exhausted(state, budget);
}

/** A limit is used up, or too little is left for what the session rests with: nothing new is accepted. */
export function atCap(state: State, spec: SessionSpec): boolean {
  return isUsedUp(state, spec) || (state.status === 'idle' && state.threads.some(({ paused }) => paused));
}

export function exhausted({ spent }: Pick<State, 'spent'>, budget: Budget): boolean {
  const { max_list_cost: cost, max_tokens: tokens, max_model_calls: calls } = budget;
  return (
    (cost !== undefined && spent.nanoUsd >= toNanoUsd(cost)) ||
    (tokens !== undefined && spent.tokens >= tokens) ||
    (calls !== undefined && spent.modelCalls >= calls)
  );
}

/** What is set aside for a model call, or null when the budget has no room for it. */
export function grant(state: State, spec: SessionSpec, estimate: Estimate): Reserve | null {
  const budget = budgetOf(state, spec);
  const most = estimate.choice.maxOutputTokens;
  // Without a limit it is set aside all the same: one that is attached meanwhile counts what is under way.
  if (budget === null) return { ...reserve(estimate, most), output: null };
  const left = leftOf(state, budget);
  if (left.calls < 1) return null;
  if (budget.max_list_cost !== undefined && estimate.choice.price === null) return null;
  const shortest = Math.min(SHORTEST_REPLY_TOKENS, most);
  // Several threads that begin at once share what is left; too little for a share is still enough for one.
  const share = affordable(left, estimate, 1 / Math.max(1, waitingThreads(state)));
  const output = Math.min(most, share >= shortest ? share : affordable(left, estimate, 1));
  return output < shortest ? null : { ...reserve(estimate, output), output };
}

function reserve({ choice: { price }, inputTokens }: Estimate, output: number): Omit<Reserve, 'output'> {
  const nanoUsd = price === null ? 0 : inputTokens * dearestInput(price) + output * price.output;
  return { nanoUsd, tokens: inputTokens + output, input: inputTokens };
}

/** Tokens of a reply that a share of what is left pays for; below zero when it does not even pay for the prompt. */
function affordable(left: Left, { choice: { price }, inputTokens }: Estimate, share: number): number {
  const tokens = left.tokens * share - inputTokens;
  if (price === null) return Math.floor(tokens);
  const nanoUsd = left.nanoUsd * share - inputTokens * dearestInput(price);
  if (nanoUsd < 0) return -1;
  return Math.floor(price.output === 0 ? tokens : Math.min(tokens, nanoUsd / price.output));
}

interface Left {
  nanoUsd: number;
  tokens: number;
  calls: number;
}

/** What neither is spent nor may still be spent by model calls under way. */
function leftOf(state: State, limits: Budget): Left {
  const { max_list_cost: cost, max_tokens: tokens, max_model_calls: calls } = limits;
  const { spent } = state;
  const held = reservedBy(state);
  return {
    nanoUsd: cost === undefined ? Number.POSITIVE_INFINITY : toNanoUsd(cost) - spent.nanoUsd - held.nanoUsd,
    tokens: tokens === undefined ? Number.POSITIVE_INFINITY : tokens - spent.tokens - held.tokens,
    calls: calls === undefined ? Number.POSITIVE_INFINITY : calls - spent.modelCalls - held.calls,
  };
}

/** What model calls under way may still cost. */
function reservedBy(state: State): Left {
  const held = { nanoUsd: 0, tokens: 0, calls: 0 };
  const open = state.threads.flatMap(({ openSpan, judging }) =>
    [openSpan, judging].flatMap((span) => (span === null ? [] : [span.reserved])),
  );
  if (state.outcome?.call) open.push(state.outcome.call.reserved);
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
