import { describe, expect, it } from 'vitest';
import { made } from './entry.ts';
import { isToBeJudged } from './outcome.ts';
import { USAGE } from './scripted-harness.ts';
import { CHOICE, Machine } from './testing/machine.ts';

const estimate = { choice: CHOICE, inputTokens: 100 };
const NOTHING = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

/** What the agent brought is judged, for the last time that there is. */
function judged(max_iterations = 1): Machine {
  const machine = new Machine();
  const rubric = { type: 'text' as const, content: 'good' };
  machine.send({ type: 'user.define_outcome', description: 'a thing', rubric, max_iterations });
  machine.replies([{ type: 'message', id: 'sevt_done', text: 'done' }]);
  expect(machine.state.outcome?.phase).toBe('evaluating');
  return machine;
}

function verdict(machine: Machine, result: 'satisfied' | 'needs_revision' | 'failed') {
  const judgement = { result, explanation: 'because' };
  const [end] = machine.step({ kind: 'graded', judgement, usage: USAGE, bill: null });
  return end;
}

it('is judged when no workflow run is open, also one that has no thread yet', () => {
  const machine = new Machine();
  const rubric = { type: 'text' as const, content: 'good' };
  machine.send({ type: 'user.define_outcome', description: 'a thing', rubric });
  expect(isToBeJudged(machine.state)).toBe(true);
  const created = { workflow_run_id: 'wrun_1', name: 'Run', description: null, phases: [] };
  machine.live([made(machine.context().stamp, 'workflow_run.created', created)]);
  expect(isToBeJudged(machine.state)).toBe(false);
});

describe('the last judgement there is', () => {
  it.each([
    ['satisfied', 'satisfied'],
    ['failed', 'failed'],
    ['needs_revision', 'max_iterations_reached'],
  ] as const)('of %s is told as %s', (result, told) => {
    const machine = judged();
    const { id, spanId } = machine.state.outcome ?? {};
    const end = verdict(machine, result);
    expect(end?.event).toMatchObject({
      type: 'span.outcome_evaluation_end',
      outcome_id: id,
      outcome_evaluation_start_id: spanId,
      iteration: 0,
      result: told,
      explanation: 'because',
      usage: USAGE,
    });
    expect(end).not.toHaveProperty('note');
  });

  it('is not the first of two', () => {
    expect(verdict(judged(2), 'needs_revision')?.event).toMatchObject({ result: 'needs_revision' });
  });
});

describe('an outcome that is over before it was judged', () => {
  it('is told with what its grader took until then', () => {
    const machine = judged();
    const { id, spanId } = machine.state.outcome ?? {};
    machine.step({ kind: 'begin_grading', estimate });
    machine.now = 1_000;
    const [, end] = machine.send({ type: 'user.interrupt' });
    expect(end).toMatchObject({
      event: {
        type: 'span.outcome_evaluation_end',
        outcome_id: id,
        outcome_evaluation_start_id: spanId,
        usage: NOTHING,
      },
      note: { bill: { kind: 'grading', model: 'real', estimated: true, usage: { input_tokens: 100 } } },
    });
  });

  it('is told without, between two calls of its grader', () => {
    const [, end] = judged().send({ type: 'user.interrupt' });
    expect(end?.event.type).toBe('span.outcome_evaluation_end');
    expect(end).not.toHaveProperty('note');
  });
});

it('a call of the grader that nobody was asked for costs nothing', () => {
  const machine = judged();
  machine.step({ kind: 'begin_grading', estimate });
  const error = { type: 'unknown_error' as const, message: 'nobody' };
  const failure = { error, retryable: true, jitter: 1, took: 'unasked' as const };
  const [ongoing] = machine.step({ kind: 'failed', kept: [], failure });
  expect(ongoing?.event.type).toBe('span.outcome_evaluation_ongoing');
  expect(ongoing).not.toHaveProperty('note');
});
