// What a model call took, at the list price its model had when the call began. One that never answered is billed by an
// estimate: free calls would let a session that is interrupted, or dies, again and again pass any budget.
import { type ModelUsage, ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { costOf } from './budget.ts';
import type { Bill } from './entry.ts';
import type { OpenSpan } from './state.ts';

/** What a model writes in a second, at most, as far as anybody pays for it. */
const TOKENS_PER_SECOND = 100;

/** `untold`: it may have worked, and never said what that took. `unasked`: it was never made. */
export type Took = ModelUsage | 'untold' | 'unasked';

export function billOf({ kind, provider, model, price }: OpenSpan, usage: ModelUsage): Bill {
  return { kind, provider, model, usage, nanoUsd: costOf(usage, price) };
}

/** Null when nothing is to be paid. */
export function billFor(span: OpenSpan, took: Took, now: number): Bill | null {
  if (took === 'unasked') return null;
  return took === 'untold' ? estimated(span, now) : billOf(span, took);
}

/** All of its prompt, and as much of a reply as there was time for: never more than was set aside for it. */
function estimated(span: OpenSpan, now: number): Bill {
  const { input, tokens } = span.reserved;
  const seconds = Math.max(0, now - span.startedAt) / 1_000;
  const output_tokens = Math.min(tokens - input, Math.ceil(seconds * TOKENS_PER_SECOND));
  return { ...billOf(span, { ...ZERO_MODEL_USAGE, input_tokens: input, output_tokens }), estimated: true };
}
