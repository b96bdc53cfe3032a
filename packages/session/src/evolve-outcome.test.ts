import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import { describe, expect, it } from 'vitest';
import { made } from './entry.ts';
import { named } from './frame.ts';
import { USAGE } from './scripted-harness.ts';
import { CHOICE, coordinator, Machine } from './testing/machine.ts';

const estimate = { choice: CHOICE, inputTokens: 100 };
const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const revise = { result: 'needs_revision' as const, explanation: 'no' };

function define(machine: Machine, max_iterations = 2): void {
  const rubric = { type: 'text' as const, content: 'good' };
  machine.send({ type: 'user.define_outcome', description: 'a thing', rubric, max_iterations });
}

function says(machine: Machine, id: string): void {
  machine.replies([{ type: 'message', id, text: 'done' }]);
}

/** What the agent brought is judged, by a call that has not ended. */
function judged(max_iterations = 2): Machine {
  const machine = new Machine(coordinator());
  define(machine, max_iterations);
  says(machine, 'sevt_done');
  machine.step({ kind: 'begin_grading', estimate });
  return machine;
}

function verdict(machine: Machine, judgement: typeof revise | { result: 'satisfied'; explanation: string }) {
  machine.step({ kind: 'graded', judgement, usage: USAGE, bill: null });
}

describe('an outcome', () => {
  it('is worked for without a verdict at first', () => {
    const machine = new Machine();
    define(machine);
    const { id } = machine.state.outcome ?? {};
    const outcome = { phase: 'working', iteration: 0, maxIterations: 2, spanId: null, call: null };
    expect(machine.state.outcome).toMatchObject(outcome);
    expect(machine.state.evaluations).toEqual([
      {
        type: 'outcome_evaluation',
        outcome_id: id,
        description: 'a thing',
        iteration: 0,
        result: 'running',
        explanation: null,
        completed_at: null,
      },
    ]);
  });

  it('knows the call of its grader that is under way', () => {
    const machine = judged();
    const again = machine.do({ kind: 'recovered', drafts: [] });
    expect(again.length).toBeGreaterThan(0);
    expect(machine.state.outcome?.call).toBeNull();
    machine.now = machine.primary.retryAt ?? 0;
    machine.do({ kind: 'tick' });
    const [ongoing] = machine.step({ kind: 'begin_grading', estimate });
    expect(machine.state.outcome?.call).toMatchObject({ id: ongoing?.event.id, kind: 'grading' });
  });

  it.each([
    ['is worked for again after a verdict', 2, { phase: 'working', iteration: 1 }],
    ['has one last turn when there is no iteration left', 1, { phase: 'last', iteration: 0 }],
  ])('%s, and nobody judges it', (_, iterations, stands) => {
    const machine = judged(iterations);
    verdict(machine, revise);
    expect(machine.state.outcome).toMatchObject({ ...stands, spanId: null, call: null });
  });

  it('that is interrupted is told on the iteration it was on', () => {
    const machine = judged();
    verdict(machine, revise);
    machine.now = 3_000;
    machine.send({ type: 'user.interrupt' });
    expect(machine.state.outcome).toBeNull();
    expect(machine.state.evaluations).toMatchObject([
      { result: 'interrupted', iteration: 1, completed_at: '1970-01-01T00:00:03.000Z' },
    ]);
  });

  it('changes nothing of those before it', () => {
    const machine = judged();
    verdict(machine, { result: 'satisfied', explanation: 'as asked' });
    const [first] = machine.state.evaluations;
    define(machine);
    says(machine, 'sevt_again');
    expect(machine.state.evaluations).toEqual([first, expect.objectContaining({ result: 'evaluating' })]);
  });
});

describe('the last turn for an outcome', () => {
  it('is not over when another thread comes to rest', () => {
    const machine = new Machine(coordinator());
    machine.send(hello);
    const input = { agent: 'scout', message: 'look' };
    machine.replies([{ type: 'tool_call', id: 'sevt_sent', name: 'delegate', input }]);
    machine.replies([{ type: 'message', id: 'sevt_seen', text: 'seen' }], machine.child());
    says(machine, 'sevt_heard');
    says(machine, 'sevt_told');
    define(machine, 1);
    says(machine, 'sevt_done');
    verdict(machine, revise);
    const { id } = machine.child();
    machine.send({ ...hello, session_thread_id: id });
    machine.replies([{ type: 'message', id: 'sevt_more', text: 'more' }], machine.child());
    expect(machine.child().status).toBe('idle');
    expect(machine.state.outcome).toMatchObject({ phase: 'last' });
  });

  it.each([
    ['its budget stops it', { type: 'budget_reached' as const }],
    ['it asks a person', { type: 'requires_action' as const, event_ids: ['sevt_c'] }],
  ])('is not over when %s', (_, stop_reason) => {
    const machine = judged(1);
    verdict(machine, revise);
    const rest = { ...named(machine.primary), stop_reason, stop_details: null };
    machine.live([made(machine.context().stamp, 'session.thread_status_idle', rest)]);
    expect(machine.state.outcome).toMatchObject({ phase: 'last' });
    const end = { ...rest, stop_reason: { type: 'end_turn' as const } };
    machine.live([made(machine.context().stamp, 'session.thread_status_idle', end)]);
    expect(machine.state.outcome).toBeNull();
  });
});

it('of earlier evaluations no more are dropped than there is no room for', () => {
  const machine = new Machine();
  const earlier = (outcome_id: string): OutcomeEvaluation => ({
    type: 'outcome_evaluation',
    outcome_id,
    description: 'x'.repeat(150_000),
    iteration: 0,
    result: 'satisfied',
    explanation: null,
    completed_at: null,
  });
  machine.state = { ...machine.state, evaluations: ['a', 'b', 'c'].map(earlier) };
  define(machine);
  const [first, second, ...more] = machine.state.evaluations;
  expect([first?.outcome_id, second?.outcome_id, more.length]).toEqual(['b', 'c', 1]);
});
