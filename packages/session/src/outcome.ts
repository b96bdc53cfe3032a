// Outcomes (spec §8.4): the agent works, what it brought is judged against a rubric, and it goes on until that is met.
import type { GradeInput } from '@capstan/schema/engine-tools';
import { type ModelUsage, ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { billFor, type Took } from './bill.ts';
import { type Bill, type Entry, made, noted, type Stamp } from './entry.ts';
import type { State, ThreadState } from './state.ts';
import { hasInput, livingChildren } from './thread.ts';

/** What was done for it can be judged: nobody the agent has asked is still at it. */
export function isToBeJudged(state: State): boolean {
  if (state.outcome?.phase !== 'working' || state.runs.length > 0) return false;
  return !livingChildren(state).some(isAtWork);
}

function isAtWork(thread: ThreadState): boolean {
  return thread.status !== 'idle' || thread.calls.length > 0 || hasInput(thread);
}

export function startEvaluation({ outcome }: State, stamp: Stamp): Entry[] {
  if (outcome === null) return [];
  const { id: outcome_id, iteration } = outcome;
  return [made(stamp, 'span.outcome_evaluation_start', { outcome_id, iteration })];
}

/** It is being judged still. */
export function goingOn({ outcome }: State, stamp: Stamp): Entry {
  const { id: outcome_id = '', iteration = 0 } = outcome ?? {};
  return made(stamp, 'span.outcome_evaluation_ongoing', { outcome_id, iteration });
}

/** Judged: `bill` is the last call's, `usage` the whole evaluation's. */
export function endEvaluation(
  { outcome }: State,
  { judgement, usage, bill }: { judgement: GradeInput; usage: ModelUsage; bill: Bill | null },
  stamp: Stamp,
): Entry[] {
  if (outcome === null) return [];
  const spent = outcome.iteration + 1 >= outcome.maxIterations;
  const revised = judgement.result === 'needs_revision' && spent;
  const end = made(stamp, 'span.outcome_evaluation_end', {
    outcome_id: outcome.id,
    outcome_evaluation_start_id: outcome.spanId ?? '',
    iteration: outcome.iteration,
    result: revised ? 'max_iterations_reached' : judgement.result,
    explanation: judgement.explanation,
    usage,
  });
  return [bill === null ? end : noted(end, { bill })];
}

/** The grader's call under way has ended without an answer. */
export function abandonGrading(state: State, took: Took, stamp: Stamp): Entry[] {
  const call = state.outcome?.call;
  if (!call) return [];
  const bill = billFor(call, took, stamp.now);
  return [bill === null ? goingOn(state, stamp) : noted(goingOn(state, stamp), { bill })];
}

/** The outcome is over before it was met, also in the middle of a grader's call. */
export function endOutcome(
  { outcome }: State,
  { result, explanation }: { result: 'interrupted' | 'failed'; explanation: string },
  stamp: Stamp,
): Entry[] {
  if (outcome === null || outcome.phase === 'last') return [];
  const end = made(stamp, 'span.outcome_evaluation_end', {
    outcome_id: outcome.id,
    outcome_evaluation_start_id: outcome.spanId ?? '',
    iteration: outcome.iteration,
    result,
    explanation,
    usage: ZERO_MODEL_USAGE,
  });
  const bill = outcome.call === null ? null : billFor(outcome.call, 'untold', stamp.now);
  return [bill === null ? end : noted(end, { bill })];
}
