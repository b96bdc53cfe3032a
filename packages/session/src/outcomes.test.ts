// An outcome from its definition to its end: worked for, judged, revised, and what may happen in between.
import type { EventParam } from '@capstan/schema/events/user-events';
import { type ModelUsage, ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { describe, expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import { outcome, type PendingModel, say, USAGE, use } from './scripted-harness.ts';
import { Crew, message, PRIMARY, wordsOf } from './testing/crew.ts';
import { hello, interrupt, limit, Stage, took } from './testing/stage.ts';
import { quiesce, until } from './testing.ts';

const define = (over: { max_iterations?: number } = {}): EventParam => ({
  type: 'user.define_outcome',
  description: 'a poem in /mnt/session/outputs/poem.txt',
  rubric: { type: 'text', content: 'it rhymes' },
  ...over,
});

const busy = (retryAfterMs = 0) =>
  new ModelFailure('model_overloaded_error', 'busy', {
    retryable: true,
    retryAfterMs,
    usage: ZERO_MODEL_USAGE,
  });

type Result = 'satisfied' | 'needs_revision' | 'failed';

const verdict = (result: Result, explanation: string = result) => [
  use('grade_outcome', { result, explanation }),
];

/** The grader's next model call. */
async function grader(stage: Stage) {
  const isGrader = (call: { call: { tools: readonly { name: string }[] } }) =>
    call.call.tools.some(({ name }) => name === 'grade_outcome');
  await until(() => stage.world.harness.waitingModels.some(isGrader));
  const call = stage.world.harness.waitingModels.find(isGrader);
  if (call === undefined) throw new Error('no grader');
  return call;
}

const judges = async (stage: Stage, result: Result, explanation?: string) =>
  (await grader(stage)).settle(verdict(result, explanation));

/** Defined, and worked for until it is judged. */
async function judged(options: { max_iterations?: number; budget?: Parameters<typeof limit>[0] } = {}) {
  const { budget, ...over } = options;
  const stage = await Stage.open(budget ? limit(budget) : null);
  await stage.send(define(over));
  await stage.replies([say('a poem')]);
  await grader(stage);
  return stage;
}

const results = async (stage: Stage) =>
  (await stage.of('span.outcome_evaluation_end')).map(({ iteration, result }) => [iteration, result]);

const evaluation = (stage: Stage) => stage.runtime.view.outcomeEvaluations.at(-1);

describe('an outcome', () => {
  it('is worked for at once, judged when the agent is done, and told in order', async () => {
    const stage = await Stage.open();
    const { events } = await stage.send(define());
    expect(events).toMatchObject([{ outcome_id: expect.stringMatching(/^outc_/), max_iterations: 3 }]);
    const call = await stage.model();
    expect(wordsOf(call.input)).toMatch(/poem\.txt.*it rhymes/);
    expect(evaluation(stage)).toMatchObject({ result: 'running', iteration: 0, completed_at: null });
    call.settle([say('a poem')]);
    await grader(stage);
    expect(evaluation(stage)).toMatchObject({ result: 'evaluating', iteration: 0 });
    await judges(stage, 'satisfied', 'it rhymes');
    await stage.rests();
    expect(await stage.world.types()).toEqual([
      'user.define_outcome',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'span.outcome_evaluation_start',
      'span.outcome_evaluation_ongoing',
      'span.outcome_evaluation_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    const [start] = await stage.of('span.outcome_evaluation_start');
    const [defined] = await stage.of('user.define_outcome');
    expect(await stage.of('span.outcome_evaluation_end')).toMatchObject([
      {
        outcome_id: defined?.outcome_id,
        outcome_evaluation_start_id: start?.id,
        iteration: 0,
        result: 'satisfied',
        explanation: 'it rhymes',
        usage: USAGE,
      },
    ]);
    expect(start).toMatchObject({ outcome_id: defined?.outcome_id, iteration: 0 });
    const end = (await stage.of('span.outcome_evaluation_end'))[0];
    expect(stage.runtime.view.outcomeEvaluations).toEqual([
      {
        type: 'outcome_evaluation',
        outcome_id: defined?.outcome_id,
        description: 'a poem in /mnt/session/outputs/poem.txt',
        iteration: 0,
        result: 'satisfied',
        explanation: 'it rhymes',
        completed_at: end?.processed_at,
      },
    ]);
    expect(await stage.stops()).toEqual(['end_turn']);
  });

  it('that needs revision is worked for again, with what the grader said', async () => {
    const stage = await judged();
    await judges(stage, 'needs_revision', 'line two does not rhyme');
    const call = await stage.model();
    expect(wordsOf(call.input)).toContain('line two does not rhyme');
    expect(evaluation(stage)).toMatchObject({ result: 'needs_revision', iteration: 0, completed_at: null });
    call.settle([say('a better one')]);
    const again = await grader(stage);
    expect(wordsOf(again.input)).toContain('a better one');
    expect(evaluation(stage)).toMatchObject({ result: 'evaluating', iteration: 1 });
    await judges(stage, 'satisfied');
    await stage.rests();
    expect(await results(stage)).toEqual([
      [0, 'needs_revision'],
      [1, 'satisfied'],
    ]);
    expect((await stage.of('span.outcome_evaluation_start')).map(({ iteration }) => iteration)).toEqual([
      0, 1,
    ]);
    expect(stage.runtime.view.outcomeEvaluations).toHaveLength(1);
  });

  it('whose rubric does not fit fails, and the session rests', async () => {
    const stage = await judged();
    await judges(stage, 'failed', 'there is no poem in a number');
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'failed']]);
    expect(evaluation(stage)).toMatchObject({
      result: 'failed',
      explanation: 'there is no poem in a number',
    });
    expect(await stage.stops()).toEqual(['end_turn']);
  });

  it('out of iterations gets one last turn, which is not judged', async () => {
    const stage = await judged({ max_iterations: 2 });
    await judges(stage, 'needs_revision', 'first');
    await stage.replies([say('second try')]);
    await judges(stage, 'needs_revision', 'still not');
    const last = await stage.model();
    expect(last.call.tools).toEqual([]);
    expect(wordsOf(last.input)).toMatch(/not judged again.*still not/);
    expect(evaluation(stage)).toMatchObject({ result: 'max_iterations_reached', iteration: 1 });
    await expect(stage.send(define())).rejects.toThrow(/still worked for/);
    last.settle([use('bash')]);
    (await stage.tool()).settle(outcome('ok'));
    await stage.replies([say('this is what there is')]);
    await stage.rests();
    expect(await results(stage)).toEqual([
      [0, 'needs_revision'],
      [1, 'max_iterations_reached'],
    ]);
    await stage.send(define());
    await stage.model();
  });

  it('is one at a time: a second is refused until the first has ended', async () => {
    const stage = await judged();
    const before = await stage.events();
    await expect(stage.send(define())).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^events\.0: the outcome outc_\w+ is still worked for/),
    });
    await expect(stage.send(hello, define())).rejects.toThrow(/^events\.1: /);
    expect(await stage.events()).toEqual(before);
    await judges(stage, 'satisfied');
    await stage.rests();
    await stage.send(define());
    await stage.replies([say('another')]);
    await judges(stage, 'satisfied');
    await stage.rests();
    const told = stage.runtime.view.outcomeEvaluations.map(({ result }) => result);
    expect(told).toEqual(['satisfied', 'satisfied']);
    const ids = stage.runtime.view.outcomeEvaluations.map(({ outcome_id }) => outcome_id);
    expect(new Set(ids).size).toBe(2);
  });

  it('cannot have a file as its rubric that nobody has read, and says what to send', async () => {
    const stage = await Stage.open();
    const rubric = { type: 'file' as const, file_id: 'file_1' };
    await expect(stage.send({ type: 'user.define_outcome', description: 'd', rubric })).rejects.toMatchObject(
      {
        code: 'invalid_request',
        message: expect.stringMatching(/^events\.0\.rubric: .*as text/),
      },
    );
    expect(await stage.events()).toEqual([]);
  });

  it('that is defined while a model call runs is first seen by the next one', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    const call = await stage.model();
    await stage.send(define());
    expect(wordsOf(call.input)).not.toContain('it rhymes');
    call.settle([say('hello to you')]);
    const next = await stage.model();
    expect(wordsOf(next.input)).toContain('it rhymes');
    expect(next.input.map(({ type }) => type)).toEqual(['user', 'message', 'user']);
    next.settle([say('a poem')]);
    await judges(stage, 'satisfied');
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'satisfied']]);
  });

  it('is steered by messages, while it is worked for and while it is judged', async () => {
    const stage = await Stage.open();
    await stage.send(define());
    const first = await stage.model();
    await stage.send(message('make it short'));
    first.settle([say('a long poem')]);
    const second = await stage.model();
    expect(wordsOf(second.input)).toContain('make it short');
    second.settle([say('a short poem')]);
    const judging = await grader(stage);
    await stage.send(message('and sad'));
    judging.settle(verdict('needs_revision', 'no rhyme'));
    const third = await stage.model();
    expect(wordsOf(third.input)).toContain('no rhyme');
    third.settle([say('rhymes now')]);
    const fourth = await stage.model();
    expect(wordsOf(fourth.input)).toContain('and sad');
    fourth.settle([say('sad now')]);
    await judges(stage, 'satisfied');
    await stage.rests();
    expect(await results(stage)).toEqual([
      [0, 'needs_revision'],
      [1, 'satisfied'],
    ]);
  });

  it('waits for a person the agent has asked', async () => {
    const stage = await Stage.open();
    await stage.send(define());
    await stage.replies([use('ticket')]);
    await stage.rests();
    expect(await stage.of('span.outcome_evaluation_start')).toEqual([]);
    const [asked] = await stage.of('agent.custom_tool_use');
    const answer = { type: 'user.custom_tool_result' as const, content: [] };
    await stage.send({ ...answer, custom_tool_use_id: asked?.id ?? '' });
    await stage.replies([say('a poem')]);
    await judges(stage, 'satisfied');
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'satisfied']]);
  });
});

describe('an interrupt', () => {
  it('while the agent works ends the outcome as interrupted', async () => {
    const stage = await Stage.open();
    await stage.send(define());
    await stage.model();
    await stage.send(interrupt);
    expect(await stage.of('span.outcome_evaluation_end')).toMatchObject([
      { result: 'interrupted', iteration: 0, outcome_evaluation_start_id: '' },
    ]);
    expect(evaluation(stage)).toMatchObject({ result: 'interrupted', completed_at: expect.any(String) });
    expect(await stage.stops()).toEqual(['end_turn']);
    await stage.send(define());
    await stage.model();
  });

  it('while it is judged stops the grader', async () => {
    const stage = await judged();
    const judging = await grader(stage);
    await stage.send(interrupt);
    await until(() => judging.signal.aborted);
    judging.settle(verdict('satisfied'));
    await quiesce();
    const [start] = await stage.of('span.outcome_evaluation_start');
    expect(await stage.of('span.outcome_evaluation_end')).toMatchObject([
      { result: 'interrupted', iteration: 0, outcome_evaluation_start_id: start?.id },
    ]);
    expect(stage.status).toBe('idle');
  });

  it('while the grader looks something up keeps the bill of the call that asked for it', async () => {
    const stage = await judged();
    (await grader(stage)).settle([use('read', { file_path: '/mnt/session/outputs/poem.txt' })]);
    await stage.tool();
    await stage.send(interrupt);
    await until(() => stage.world.ledger.size === 2);
    expect([...stage.world.ledger.values()].map(({ kind }) => kind)).toEqual(['model', 'grading']);
    expect(stage.runtime.view.usage.input_tokens).toBe(20);
  });

  it('in the last turn leaves the result as it is', async () => {
    const stage = await judged({ max_iterations: 1 });
    await judges(stage, 'needs_revision');
    await stage.model();
    await stage.send(interrupt);
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'max_iterations_reached']]);
    expect(evaluation(stage)).toMatchObject({ result: 'max_iterations_reached' });
    await stage.send(define());
  });
});

describe('the grader', () => {
  it('reads the sandbox and leaves nothing of that on the log', async () => {
    const stage = await judged();
    const judging = await grader(stage);
    expect(judging.call.agent.tools).toMatchObject([
      { default_config: { enabled: false }, configs: [{ name: 'read' }, { name: 'glob' }, { name: 'grep' }] },
    ]);
    const length = (await stage.events()).length;
    const reads = [use('read', { file_path: 'poem.txt' }), use('glob', { pattern: '*' }), use('grep', {})];
    judging.settle(reads);
    for (const name of ['read', 'glob', 'grep']) {
      const call = await stage.tool();
      expect(call.input).toMatchObject({ name, shell: 'grader' });
      call.settle(outcome(`what ${name} found`));
    }
    const next = await grader(stage);
    expect(next.input.map(({ type }) => type).slice(1)).toEqual([
      'tool_call',
      'tool_result',
      'tool_call',
      'tool_result',
      'tool_call',
      'tool_result',
    ]);
    expect(wordsOf(next.input)).toMatch(/what read found.*what glob found.*what grep found/);
    const since = (await stage.events()).slice(length).map(({ type }) => type);
    expect(since).toEqual(['span.outcome_evaluation_ongoing', 'span.outcome_evaluation_ongoing']);
    next.settle(verdict('satisfied'));
    await stage.rests();
    const doubled = (usage: ModelUsage) => ({ ...usage, input_tokens: 20, output_tokens: 4 });
    expect((await stage.of('span.outcome_evaluation_end'))[0]?.usage).toEqual(doubled(USAGE));
    expect(await stage.of('agent.tool_use')).toEqual([]);
    const again = hello;
    await stage.send(again);
    expect(wordsOf((await stage.model()).input)).not.toContain('what read found');
  });

  it('can do nothing else', async () => {
    const stage = await judged();
    (await grader(stage)).settle([
      use('bash', { command: 'rm -rf /' }),
      use('write', { file_path: 'poem.txt', content: 'x' }),
      use('ticket'),
      { type: 'tool_call', name: 'read', input: null, problem: 'no JSON' },
    ]);
    const next = await grader(stage);
    const refused = next.input.filter((item) => item.type === 'tool_result' && item.isError);
    expect(refused).toHaveLength(4);
    expect(wordsOf(next.input)).toContain('no JSON');
    expect(stage.world.harness.performed).toEqual([]);
  });

  it('is asked again for a verdict that it did not give, or gave wrongly', async () => {
    const stage = await judged();
    (await grader(stage)).settle([say('looks good')]);
    const second = await grader(stage);
    expect(wordsOf(second.input.slice(-2))).toMatch(/looks good.*Call grade_outcome/);
    second.settle([use('grade_outcome', { result: 'great' })]);
    (await grader(stage)).settle(verdict('satisfied'));
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'satisfied']]);
  });

  it('that never comes to a verdict fails the outcome after a bound, and costs what it cost', async () => {
    const stage = await judged();
    for (let call = 0; call < 12; call++) (await grader(stage)).settle([say('hm')]);
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'failed']]);
    expect(evaluation(stage)?.explanation).toMatch(/no verdict in 12/);
    await until(() => stage.world.ledger.size === 13);
    expect(stage.runtime.view.usage.input_tokens).toBe(130);
  });

  it('is tried again on the same iteration after a failure that may pass', async () => {
    const stage = await judged();
    (await grader(stage)).fail(busy(7_000));
    await until(() => stage.status === 'rescheduling');
    const before = stage.world.now;
    while (stage.status === 'rescheduling') await stage.world.ring(stage.runtime);
    expect(stage.world.now).toBe(before + 7_000);
    await judges(stage, 'satisfied');
    await stage.rests();
    expect(await stage.of('span.outcome_evaluation_start')).toHaveLength(1);
    expect(await results(stage)).toEqual([[0, 'satisfied']]);
  });

  it('that fails for good fails the outcome, with the reason', async () => {
    const stage = await judged();
    const broke = new ModelFailure('billing_error', 'no credit', { retryable: false });
    (await grader(stage)).fail(broke);
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'failed']]);
    expect(evaluation(stage)).toMatchObject({ result: 'failed', explanation: 'no credit' });
    expect(await stage.stops()).toEqual(['retries_exhausted']);
    expect((await stage.of('session.error')).at(-1)?.error).toMatchObject({
      type: 'billing_error',
      retry_status: { type: 'exhausted' },
    });
  });

  it('whose model nobody answers for any more fails the outcome, and the session lives', async () => {
    const stage = await judged();
    const { harness } = stage.world;
    harness.choose = () => {
      throw new ModelFailure('model_request_failed_error', 'no key', { retryable: false });
    };
    await stage.recover();
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'failed']]);
    expect(stage.runtime.dead).toBe(false);
  });

  it('cannot be given more than it can read, which ends the evaluation with an error', async () => {
    const stage = await judged();
    const long = new ModelFailure('model_request_failed_error', 'too long', {
      retryable: false,
      contextTooLong: true,
    });
    (await grader(stage)).fail(long);
    await stage.rests();
    expect(evaluation(stage)).toMatchObject({
      result: 'failed',
      explanation: expect.stringMatching(/too long/),
    });
  });

  it('begins again when its process dies, on the same iteration and with nothing doubled', async () => {
    const stage = await judged({ budget: { max_model_calls: 4, max_tokens: 9_500 } });
    const limited = (await grader(stage)).call.maxOutputTokens;
    await stage.recover();
    const again = await grader(stage);
    // What the dead call had set aside is free again, but for what it may have read.
    expect(again.call.maxOutputTokens).toBeLessThan(limited ?? 0);
    expect(again.call.maxOutputTokens).toBeGreaterThan((limited ?? 0) - 2_000);
    again.settle([use('read', { file_path: 'poem.txt' })]);
    await stage.tool();
    await stage.recover();
    await judges(stage, 'satisfied');
    await stage.rests();
    expect(await stage.of('span.outcome_evaluation_start')).toHaveLength(1);
    expect(await results(stage)).toEqual([[0, 'satisfied']]);
    await until(() => stage.world.ledger.size === 4);
    const lines = [...stage.world.ledger.values()];
    expect(lines.map(({ kind }) => kind)).toEqual(['model', 'grading', 'grading', 'grading']);
    expect(lines.map(({ estimated = false }) => estimated)).toEqual([false, true, false, false]);
    const [, dead] = lines;
    expect(stage.runtime.view.usage.input_tokens).toBe(30 + (dead?.usage.input_tokens ?? 0));
  });

  it('whose every process dies is given up after a bound', async () => {
    const stage = await judged();
    for (let death = 0; death < 10; death++) {
      await stage.recover();
      await grader(stage);
    }
    await stage.restart();
    await stage.rests();
    expect(await results(stage)).toEqual([[0, 'failed']]);
    expect(await stage.stops()).toEqual(['retries_exhausted']);
  });

  it('pauses for the budget between two of its calls, and judges afresh when that is raised', async () => {
    const stage = await judged({ budget: { max_model_calls: 2 } });
    (await grader(stage)).settle([use('read', { file_path: 'poem.txt' })]);
    (await stage.tool()).settle(outcome('roses are red'));
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
    expect(evaluation(stage)).toMatchObject({ result: 'evaluating', completed_at: null });
    expect(stage.runtime.view.usage.input_tokens).toBe(20);
    await stage.restart();
    await quiesce();
    expect(stage.world.harness.waitingModels).toEqual([]);
    await stage.runtime.update({ budget: limit({ max_model_calls: 5 }) });
    await judges(stage, 'satisfied');
    await stage.rests();
    expect(await stage.of('span.outcome_evaluation_start')).toHaveLength(1);
    expect(await results(stage)).toEqual([[0, 'satisfied']]);
    expect(await stage.stops()).toEqual(['budget_reached', 'end_turn']);
  });

  it('may say no more than the budget has room for, call by call', async () => {
    const stage = await judged({ budget: { max_tokens: 9_000 } });
    const first = await grader(stage);
    const [held] = [(await stage.world.state()).outcome?.call?.reserved];
    expect(first.call.maxOutputTokens).toBe(held?.output);
    expect(held?.tokens).toBeLessThanOrEqual(9_000 - 12);
    first.settle(took([say('hm')], { output_tokens: 3_000 }));
    const second = await grader(stage);
    expect(second.call.maxOutputTokens).toBeLessThan((first.call.maxOutputTokens ?? 0) - 2_900);
    expect(second.call.maxOutputTokens).toBeGreaterThan(256);
  });
});

describe('an outcome whose agent asks others', () => {
  it('is judged once they have answered', async () => {
    const crew = await Crew.open();
    await crew.send(define());
    const [scout = ''] = await crew.handsOn(['scout', 'find a rhyme']);
    await crew.says(PRIMARY, 'somebody is at it');
    await until(() => crew.status(PRIMARY) === 'idle');
    expect(await crew.types()).not.toContain('span.outcome_evaluation_start');
    await crew.says(scout, 'orange: none');
    await crew.says(PRIMARY, 'so be it');
    await until(async () => (await crew.types()).includes('span.outcome_evaluation_start'));
    (await crew.model(PRIMARY)).settle(verdict('satisfied'));
    await crew.rests();
    expect(crew.runtime.view.outcomeEvaluations).toMatchObject([{ result: 'satisfied' }]);
  });

  it('waits for one that its budget stopped', async () => {
    const crew = await Crew.open();
    await crew.send(define());
    const [scout = ''] = await crew.handsOn(['scout', 'find a rhyme']);
    await crew.model(PRIMARY);
    (await crew.model(scout)).fail(busy());
    await until(() => crew.status(scout) === 'rescheduling');
    await crew.runtime.update({ budget: limit({ max_model_calls: 3 }) });
    while (crew.status(scout) !== 'idle') {
      await crew.world.ring(crew.runtime);
      await quiesce();
    }
    await crew.says(PRIMARY, 'done');
    await crew.rests();
    expect(await crew.types()).not.toContain('span.outcome_evaluation_start');
    expect((await crew.stops()).at(-1)).toEqual({ type: 'budget_reached' });
    expect(crew.runtime.view.outcomeEvaluations).toMatchObject([{ result: 'running' }]);
  });

  it.each([
    ['gives no verdict', (call: PendingModel) => call.settle([say('hm')])],
    ['fails', (call: PendingModel) => call.fail(busy())],
    ['gives its verdict', (call: PendingModel) => call.settle(verdict('satisfied'))],
  ])('frees what its grader had set aside for others when that %s', async (_, ends) => {
    const crew = await Crew.open();
    await crew.send(define());
    const [scout = ''] = await crew.handsOn(['scout', 'find a rhyme']);
    await crew.says(PRIMARY, 'somebody is at it');
    await crew.says(scout, 'none');
    await crew.says(PRIMARY, 'so be it');
    const judging = await crew.model(PRIMARY);
    const { spent, outcome: underWay } = await crew.world.state();
    const held = underWay?.call?.reserved.tokens ?? 0;
    await crew.runtime.update({ budget: limit({ max_tokens: spent.tokens + held + 300 }) });
    await crew.send(message('look again', scout));
    await until(() => crew.status(scout) === 'idle');
    expect(crew.asks(scout)).toBe(false);
    ends(judging);
    await crew.model(scout);
  });

  it('is judged when the last one it waits for is archived', async () => {
    const crew = await Crew.open();
    await crew.send(define());
    const [scout = ''] = await crew.handsOn(['scout', 'find a rhyme']);
    await crew.says(PRIMARY, 'somebody is at it');
    await crew.uses(scout, 'ticket');
    await crew.rests();
    expect(await crew.types()).not.toContain('span.outcome_evaluation_start');
    await crew.runtime.archiveThread(scout);
    await crew.says(PRIMARY, 'then without it');
    await until(async () => (await crew.types()).includes('span.outcome_evaluation_start'));
    (await crew.model(PRIMARY)).settle(verdict('satisfied'));
    await crew.rests();
    expect(crew.runtime.view.outcomeEvaluations).toMatchObject([{ result: 'satisfied' }]);
  });
});

it('an archived session leaves no outcome open', async () => {
  const stage = await Stage.open(limit({ max_model_calls: 1 }));
  await stage.send(define());
  await stage.replies([use('bash')]);
  (await stage.tool()).settle(outcome('ok'));
  await stage.rests();
  await stage.runtime.archive();
  expect(evaluation(stage)).toMatchObject({ result: 'interrupted', completed_at: expect.any(String) });
  expect(await results(stage)).toEqual([[0, 'interrupted']]);
});

it('earlier outcomes are shown as far as a row of the control plane has room for them', async () => {
  const stage = await Stage.open();
  for (let defined = 0; defined < 5; defined++) {
    const description = `${defined}${'x'.repeat(150_000)}`;
    await stage.send({ ...define(), description } as EventParam, interrupt);
  }
  const shown = stage.runtime.view.outcomeEvaluations;
  expect(shown.map(({ description }) => description[0])).toEqual(['2', '3', '4']);
  expect((await stage.of('user.define_outcome')).length).toBe(5);
});
