// Workflow runs: by a plan, phase after phase, in threads of their own; told to clients as they go, and to the agent at
// their end.
import { describe, expect, it } from 'vitest';
import { ModelFailure } from '../harness.ts';
import { outcome, say, use } from '../scripted-harness.ts';
import { delegate, message, PRIMARY, wordsOf } from '../testing/crew.ts';
import { Flows, planOf, startingRuns } from '../testing/flows.ts';
import { Player } from '../testing/player.ts';
import { quiesce, until, World } from '../testing.ts';

const asked = async (flows: Flows, thread: string) => wordsOf((await flows.model(thread)).call.context);
const ask = { type: 'user.interrupt' as const };

describe('a workflow run', () => {
  it('goes phase by phase, and its results come to the agent that began it', async () => {
    const flows = await Flows.begin();
    const plan = planOf(
      [
        { id: 'north', message: 'Look north.' },
        { id: 'south', agent: 'scribe', message: 'Look south.' },
      ],
      [{ id: 'sum', message: 'Compare {{steps.north}} and {{steps.south}}.' }],
    );
    const run = await flows.starts({ ...plan, description: 'Two ways.' });
    const [north = '', south = '', ...none] = flows.children();
    expect(none).toEqual([]);
    expect(flows.thread(north)).toMatchObject({
      parentId: PRIMARY,
      workflowRunId: run,
      agent: { id: 'agent_scout' },
    });
    expect(flows.thread(south)).toMatchObject({ workflowRunId: run, agent: { id: 'agent_scribe' } });
    expect(flows.thread(PRIMARY).workflowRunId).toBeNull();
    await flows.says(south, 'a river');
    await quiesce();
    expect(flows.children()).toHaveLength(2);
    await flows.says(north, 'a hill {{steps.south}}');
    await until(() => flows.children().length === 3);
    const sum = flows.children()[2] ?? '';
    expect(await asked(flows, sum)).toContain('Compare a hill {{steps.south}} and a river.');
    expect(flows.status(south)).toBe('terminated');
    await flows.says(sum, 'both wet');
    const told = await asked(flows, PRIMARY);
    for (const part of [
      `The workflow run \\"Survey\\" (${run}) has ended: completed`,
      '## north',
      'both wet',
    ]) {
      expect(told).toContain(part);
    }
    await flows.says(PRIMARY, 'All done.');
    await flows.rests();
    expect(await flows.course()).toEqual([
      'created',
      'status_running',
      'phase_started',
      'phase_ended',
      'phase_started',
      'phase_ended',
      'status_ended',
    ]);
    const [created] = await flows.told('workflow_run.created');
    expect(created).toMatchObject({ workflow_run_id: run, name: 'Survey', description: 'Two ways.' });
    expect(created?.phases.map(({ name, description }) => [name, description])).toEqual([
      ['Part 1', null],
      ['Part 2', null],
    ]);
    const started = await flows.told('workflow_run.phase_started');
    expect(started.map((event) => event.workflow_run_phase_id)).toEqual(created?.phases.map(({ id }) => id));
    const ended = await flows.told('workflow_run.phase_ended');
    expect(ended.map((event) => event.phase_started_id)).toEqual(started.map(({ id }) => id));
    expect((await flows.told('workflow_run.status_ended')).at(-1)?.result).toEqual({ type: 'completed' });
    const threads = await flows.told('session.thread_created');
    expect(threads.map((event) => event.workflow_run_id)).toEqual([run, run, run]);
    expect((await flows.world.state()).runs).toEqual([]);
    await until(() => flows.world.ledger.size === 6);
    const billed = [...flows.world.ledger.values()].filter(({ threadId }) => threadId === south);
    expect(billed).toMatchObject([{ agent: { id: 'agent_scribe', version: 1 } }]);
  });

  it('has a thread for each item of a list, also of one that a step has made', async () => {
    const flows = await Flows.begin();
    await flows.starts(
      planOf(
        [{ id: 'list', message: 'List the doors.' }],
        [{ id: 'open', for_each_of: 'list', message: 'Open {{item}}.' }],
        [{ id: 'walk', for_each: ['in', 'out'], message: 'Walk {{item}}: {{steps.open}}' }],
      ),
    );
    await flows.says(flows.children()[0] ?? '', '```json\n["red", "blue"]\n```');
    await until(() => flows.children().length === 3);
    const [, red = '', blue = ''] = flows.children();
    expect(await asked(flows, blue)).toContain('Open blue.');
    await flows.says(blue, 'sky');
    await flows.says(red, 'wall');
    await until(() => flows.children().length === 5);
    const words = await asked(flows, flows.children()[4] ?? '');
    expect(words).toContain('Walk out: [red]\\nwall\\n\\n[blue]\\nsky');
  });

  it('describes agents of its own, unless it may not', async () => {
    const step = {
      id: 'a',
      for_each: ['x', 'y'],
      message: 'Go.',
      new_agent: { name: 'Poet', system: 'Rhyme.' },
    };
    const flows = await Flows.begin();
    await flows.starts(planOf([step]));
    const [poet = ''] = flows.children();
    expect((await flows.world.state()).threads[1]).toMatchObject({ inline: { name: 'Poet' }, member: null });
    expect(flows.thread(poet).agent).toMatchObject({ type: 'inline', name: 'Poet', system: 'Rhyme.' });
    // One object: however many threads do a step, a reply over RPC carries its agent once.
    const [, one, other] = flows.runtime.threads;
    expect(other?.agent).toBe(one?.agent);
    const strict = await Flows.begin(startingRuns('disabled'));
    await strict.starts(planOf([step]));
    expect(await strict.answer()).toMatchObject({
      isError: true,
      text: expect.stringContaining('may describe no agents'),
    });
  });

  it('goes on where a step has failed, and says so to the steps after it and in the end', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Try.' }], [{ id: 'b', message: 'Given: {{steps.a}}' }]));
    const broken = new ModelFailure('model_request_failed_error', 'no such model', { retryable: false });
    (await flows.model(flows.children()[0] ?? '')).fail(broken);
    await until(() => flows.children().length === 2);
    const [, second = ''] = flows.children();
    expect(await asked(flows, second)).toContain('(This step has failed: no such model)');
    await flows.says(second, 'never mind');
    expect(await asked(flows, PRIMARY)).toContain('## a (failed)');
    expect((await flows.told('workflow_run.status_ended'))[0]?.result).toEqual({ type: 'completed' });
  });

  it('keeps all that a step has said over the death of its process', async () => {
    const flows = await Flows.begin();
    flows.world.harness.deltas = [];
    await flows.starts(planOf([{ id: 'a', message: 'Tell.' }]));
    const [teller = ''] = flows.children();
    const { call } = await flows.model(teller);
    expect(call.threadId).toBe(teller);
    await flows.world.log.draft({ thread: teller, eventId: 'sevt_draft', text: 'Once upon' });
    await flows.restart();
    while (flows.status(teller) === 'rescheduling') await flows.world.ring(flows.runtime);
    await flows.says(teller, ' a time');
    expect(await asked(flows, PRIMARY)).toContain('Once upon a time');
    expect(flows.children()).toHaveLength(1);
  });

  it('is idle while all its threads wait, and the session asks for what they wait for', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Write.' }]));
    const [scout = ''] = flows.children();
    const call = await flows.uses(scout, 'write', { path: 'x' });
    await flows.rests();
    expect(await flows.stops()).toEqual([{ type: 'requires_action', event_ids: [call] }]);
    expect((await flows.course()).slice(-1)).toEqual(['status_idle']);
    await flows.send({ type: 'user.tool_confirmation', tool_use_id: call, result: 'allow' });
    (await flows.tool(call)).settle(outcome('written'));
    await flows.says(scout, 'done');
    await flows.says(PRIMARY, 'good');
    await flows.rests();
    expect((await flows.course()).slice(3)).toEqual([
      'status_idle',
      'status_running',
      'phase_ended',
      'status_ended',
    ]);
  });

  it('is beyond the limit of threads that are begun one by one, and has 64 at a time', async () => {
    const flows = await Flows.begin();
    const items = Array.from({ length: 70 }, (_, index) => `item ${index}`);
    await flows.starts(planOf([{ id: 'each', for_each: items, message: 'Do {{item}}.' }]));
    expect(flows.children()).toHaveLength(64);
    await flows.says(flows.children()[5] ?? '', 'done');
    await until(() => flows.children().length === 65);
    expect(await asked(flows, flows.children()[64] ?? '')).toContain('Do item 64.');
  });

  it('pauses with the budget of its session, and goes on when that is raised', async () => {
    const flows = await Flows.begin();
    flows.world.spec = { ...flows.world.spec, budget: { type: 'limit', max_model_calls: 1 } };
    flows.runtime = await flows.world.open();
    await flows.send(message('go'));
    (await flows.model(PRIMARY)).settle([use('start_workflow', planOf([{ id: 'a', message: 'Go.' }]))]);
    await until(() => flows.children().length === 1);
    await flows.rests();
    expect((await flows.stops()).at(-1)).toEqual({ type: 'budget_reached' });
    expect(await flows.course()).toEqual(['created', 'status_idle', 'phase_started']);
    await flows.runtime.update({ budget: { type: 'limit', max_model_calls: 9 } });
    await flows.says(PRIMARY, 'I wait.');
    await flows.says(flows.children()[0] ?? '', 'done');
    await flows.says(PRIMARY, 'good');
    await flows.rests();
    expect((await flows.course()).slice(3)).toEqual(['status_running', 'phase_ended', 'status_ended']);
  });
});

describe('the threads of runs', () => {
  it('take no place of those that are begun one by one, and cannot be written to by their agent', async () => {
    const { multiagent } = startingRuns();
    if (multiagent?.type !== 'multiagent_20261001') throw new Error('another form');
    const subagents = { ...multiagent.workflows };
    const flows = await Flows.begin({ multiagent: { ...multiagent, subagents } });
    const items = Array.from({ length: 30 }, (_, index) => `item ${index}`);
    await flows.starts(planOf([{ id: 'each', for_each: items, message: 'Do {{item}}.' }]));
    const [step = ''] = flows.children();
    await flows.send(message('and'));
    (await flows.model(PRIMARY)).settle([
      delegate({ agent: 'scribe', message: 'look' }),
      delegate({ thread_id: step, message: 'look' }),
    ]);
    await until(() => flows.children().length === 31);
    expect(flows.thread(flows.children()[30] ?? '').workflowRunId).toBeNull();
    expect((await flows.answer()).text).toContain(`There is no thread ${step}.`);
    const open = { id: flows.children()[30] ?? '' };
    expect((await flows.answer()).text).toContain(`There are: ${open.id} (scribe).`);
  });
});

describe('a run that does not end by itself', () => {
  it('is stopped by its agent, which has the results there are', async () => {
    const flows = await Flows.begin();
    const two = [
      { id: 'a', message: 'One.' },
      { id: 'b', message: 'Two.' },
    ];
    const run = await flows.starts(planOf(two));
    const [one = '', other = ''] = flows.children();
    await flows.says(one, 'found it');
    const { signal } = await flows.model(other);
    await flows.send(message('enough'));
    (await flows.model(PRIMARY)).settle([use('check_workflow')]);
    await until(async () => (await flows.answer()).text.includes('of its 2 threads 1 are done, 1 at work'));
    (await flows.model(PRIMARY)).settle([use('stop_workflow', { workflow_run_id: run })]);
    await flows.says(PRIMARY, 'stopped');
    await flows.rests();
    expect(signal.aborted).toBe(true);
    expect(flows.status(other)).toBe('terminated');
    expect((await flows.answer()).text).toContain('found it');
    expect((await flows.course()).slice(-2)).toEqual(['phase_ended', 'status_ended']);
    expect((await flows.told('workflow_run.status_ended'))[0]?.result).toEqual({ type: 'stopped' });
    await flows.send(message('again'));
    (await flows.model(PRIMARY)).settle([use('stop_workflow', { workflow_run_id: run })]);
    await until(async () => (await flows.answer()).isError);
  });

  it('is stopped by an interrupt of the session, which its agent reads with the next message', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Go.' }], [{ id: 'b', message: 'And on.' }]));
    await flows.send(ask);
    await flows.rests();
    await quiesce();
    expect(flows.waiting).toEqual([]);
    expect(flows.children()).toHaveLength(1);
    expect((await flows.course()).slice(-2)).toEqual(['phase_ended', 'status_ended']);
    await flows.send(message('what was that?'));
    expect(await asked(flows, PRIMARY)).toContain('has ended: stopped');
  });

  it('goes on when one of its threads is interrupted, or its agent', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Go.' }], [{ id: 'b', message: 'Then: {{steps.a}}' }]));
    await flows.send({ ...ask, session_thread_id: PRIMARY });
    await flows.send({ ...ask, session_thread_id: flows.children()[0] ?? '' });
    await until(() => flows.children().length === 2);
    expect(await asked(flows, flows.children()[1] ?? '')).toContain('It was interrupted by the user.');
  });

  it('ends with an error at its time limit, on the alarm', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Write.' }]));
    await flows.uses(flows.children()[0] ?? '', 'write', { path: 'x' });
    await flows.rests();
    for (let round = 0; round < 50 && (await flows.told('workflow_run.status_ended')).length === 0; round++) {
      await flows.world.ring(flows.runtime);
      await quiesce();
    }
    expect((await flows.course()).slice(-3)).toEqual(['phase_ended', 'error', 'status_ended']);
    const [error] = await flows.told('workflow_run.error');
    expect(error?.error).toMatchObject({ type: 'timeout_error' });
    expect((await flows.told('workflow_run.status_ended'))[0]?.result).toEqual({
      type: 'error',
      error: error?.error,
    });
    expect(await asked(flows, PRIMARY)).toContain('it failed. The run reached its time limit of 24 hours.');
  });

  it('fails where a list is none, and where it would create too many threads', async () => {
    for (const [list, type] of [
      ['the red one', 'program_error'],
      ['[1, 2]', 'program_error'],
      [JSON.stringify(Array.from({ length: 1_000 }, () => 'x')), 'thread_limit_error'],
    ] as const) {
      const flows = await Flows.begin();
      await flows.starts(
        planOf([{ id: 'list', message: 'List.' }], [{ id: 'b', for_each_of: 'list', message: '{{item}}' }]),
      );
      await flows.says(flows.children()[0] ?? '', list);
      await flows.says(PRIMARY, 'pity');
      await flows.rests();
      expect((await flows.course()).slice(-3)).toEqual(['phase_ended', 'error', 'status_ended']);
      expect((await flows.told('workflow_run.error'))[0]?.error.type).toBe(type);
      expect(flows.children()).toHaveLength(1);
    }
  });
});

describe('a run that is not created', () => {
  it('is said to the agent, and to clients without a run', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', agent: 'nobody', message: 'Go.' }]));
    expect(await flows.answer()).toEqual({
      isError: true,
      text: expect.stringContaining('there is no agent "nobody". There are: scout, scribe.'),
    });
    const [error, ...more] = await flows.told('workflow_run.error');
    expect(error).toMatchObject({ workflow_run_id: null, error: { type: 'program_error' } });
    expect(more).toEqual([]);
    expect(JSON.stringify(error)).not.toContain('nobody');
    expect(flows.children()).toEqual([]);
  });

  it('is one too many', async () => {
    const flows = await Flows.begin();
    await flows.send(message('go'));
    const start = use('start_workflow', planOf([{ id: 'a', message: 'Go.' }]));
    (await flows.model(PRIMARY)).settle(Array.from({ length: 11 }, () => start));
    await until(async () => (await flows.told('workflow_run.error')).length > 0);
    expect(await flows.told('workflow_run.created')).toHaveLength(10);
    const [error] = await flows.told('workflow_run.error');
    expect(error).toMatchObject({ workflow_run_id: null, error: { type: 'max_workflow_runs_error' } });
    expect(await flows.answer()).toMatchObject({
      isError: true,
      text: expect.stringContaining('open workflow runs'),
    });
    for (const thread of flows.children()) await flows.says(thread, 'ok');
    await flows.says(PRIMARY, 'all begun');
    while (
      (await flows.course()).filter((type) => type === 'status_ended').length < 10 ||
      flows.asks(PRIMARY)
    ) {
      if (flows.asks(PRIMARY)) await flows.says(PRIMARY, 'yes');
      await quiesce();
    }
  });

  it('is not offered where workflows are disabled, nor to a step', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Go.' }]));
    const names = ({ tools }: { tools: readonly { name: string }[] }) => tools.map(({ name }) => name);
    expect(names((await flows.model(flows.children()[0] ?? '')).call)).toEqual([]);
    await flows.send(message('and?'));
    expect(names((await flows.model(PRIMARY)).call)).toEqual([
      'start_workflow',
      'check_workflow',
      'stop_workflow',
    ]);
    const { multiagent } = startingRuns();
    if (multiagent?.type !== 'multiagent_20261001') throw new Error('another form');
    const without = await Flows.begin({ multiagent: { ...multiagent, workflows: { type: 'disabled' } } });
    await without.send(message('go'));
    expect(names((await without.model(PRIMARY)).call)).toEqual([]);
  });
});

describe('while a run is open', () => {
  it('neither the tools of the session nor a thread of the run can be taken away', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Write.' }]));
    const [scout = ''] = flows.children();
    await flows.uses(scout, 'write', { path: 'x' });
    await flows.rests();
    const refused = { code: 'invalid_request', reason: 'workflow_run_open' };
    await expect(flows.runtime.update({ agent: { tools: [] } })).rejects.toMatchObject(refused);
    await expect(flows.runtime.archiveThread(scout)).rejects.toMatchObject(refused);
    await flows.send(ask);
    await flows.rests();
    await flows.runtime.update({ agent: { tools: [] } });
    expect(await flows.runtime.archiveThread(scout)).toMatchObject({ status: 'terminated' });
  });

  it('the session can be archived at rest, which stops the run', async () => {
    const flows = await Flows.begin();
    await flows.starts(planOf([{ id: 'a', message: 'Write.' }]));
    await flows.uses(flows.children()[0] ?? '', 'write', { path: 'x' });
    await flows.rests();
    await flows.runtime.archive();
    expect((await flows.course()).slice(-2)).toEqual(['phase_ended', 'status_ended']);
    expect((await flows.types()).at(-1)).toBe('session.status_terminated');
    expect((await flows.world.state()).runs).toEqual([]);
  });

  it('an outcome is not judged', async () => {
    const flows = await Flows.begin();
    const rubric = { type: 'text' as const, content: 'Good.' };
    await flows.send({ type: 'user.define_outcome', description: 'A survey', rubric });
    (await flows.model(PRIMARY)).settle([use('start_workflow', planOf([{ id: 'a', message: 'Go.' }]))]);
    await flows.says(PRIMARY, 'I wait.');
    await until(() => flows.status(PRIMARY) === 'idle');
    expect(await flows.types()).not.toContain('span.outcome_evaluation_start');
    await flows.says(flows.children()[0] ?? '', 'done');
    (await flows.model(PRIMARY)).settle([say('There it is.')]);
    await until(async () => (await flows.types()).includes('span.outcome_evaluation_start'));
  });
});

describe('a fork in the middle of a run', () => {
  it('takes over how far it had come, and none goes on there', async () => {
    const flows = await Flows.begin();
    await flows.starts(
      planOf([
        { id: 'a', message: 'One.' },
        { id: 'b', message: 'Two.' },
      ]),
    );
    const [one = ''] = flows.children();
    await flows.says(one, 'found it');
    await until(() => flows.status(one) === 'terminated');
    const { spec } = flows.world;
    const world = new World(spec.agent);
    const origin = { sessionId: spec.sessionId, eventId: (await flows.events()).at(-1)?.id ?? '' };
    world.spec = { ...world.spec, sessionId: 'sesn_fork', threadId: 'sthr_fork', origin };
    world.others.set(spec.sessionId, flows.runtime);
    world.ids = flows.world.ids + 1_000;
    const fork = new Player(world, await world.open());
    expect((await fork.world.state()).runs).toEqual([]);
    expect(fork.runtime.view.status).toBe('idle');
    expect((await fork.all('workflow_run.status_ended')).map(({ result }) => result.type)).toEqual([
      'stopped',
    ]);
    expect(await fork.count('workflow_run.phase_ended')).toBe(1);
    expect(fork.runtime.threads.map(({ status }) => status)).toEqual(['idle', 'terminated', 'terminated']);
    expect(world.harness.cancelled).toEqual([]);
    await fork.send(Player.message('what was found?'));
    expect(wordsOf((await fork.model()).call.context)).toContain('found it');
    expect((await flows.world.state()).runs).toHaveLength(1);
  });
});
