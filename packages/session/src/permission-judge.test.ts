// Calls under the policy `auto`: judged once the reply is whole, before any of it is on the log and before anything runs.
import type { Budget } from '@capstan/schema/budgets';
import { describe, expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import { inputHash } from './input-hash.ts';
import { outcome, say, USAGE, use } from './scripted-harness.ts';
import { Crew, PRIMARY } from './testing/crew.ts';
import { withJudged } from './testing/judged-tools.ts';
import { Player } from './testing/player.ts';
import { cents, limit, took } from './testing/stage.ts';
import { quiesce, until, World } from './testing.ts';
import { JUDGE } from './verdicts.ts';

const { message } = Player;
const START = 'span.model_request_start';
const END = 'span.model_request_end';

function judgedWorld(budget: Budget | null = null): World {
  const world = new World();
  const { agent } = world.spec;
  world.spec = { ...world.spec, budget, agent: { ...agent, tools: withJudged(agent.tools) } };
  return world;
}

const verdicts = (...given: [verdict: string, reason: string][]) =>
  use(JUDGE, { verdicts: given.map(([verdict, reason], index) => ({ call: index + 1, verdict, reason })) });

/** The model has called `edit`, and its judge is asked. */
async function doubted(world = judgedWorld(), outputs = [use('edit', { path: 'a' })]) {
  const player = await Player.open(world);
  await player.send(message('change it'));
  (await player.model()).settle(outputs);
  const asked = await player.model();
  expect(asked.call.tools.map(({ name }) => name)).toEqual([JUDGE]);
  expect(asked.call).toMatchObject({ builtIn: false, agent: { tools: [] } });
  return { player, asked };
}

const uses = (player: Player) => player.all('agent.tool_use');
const shownTo = ({ call }: { call: { context: readonly unknown[] } }) => JSON.stringify(call.context);

describe('a call under the policy auto', () => {
  it('that is allowed runs, with the verdict on the log before it', async () => {
    const { player, asked } = await doubted();
    expect(await uses(player)).toEqual([]);
    expect(player.world.harness.performed).toEqual([]);
    asked.settle([verdicts(['allow', 'As asked.'])]);
    (await player.tool()).settle(outcome('changed'));
    const [edit] = await uses(player);
    expect(edit).toMatchObject({
      evaluated_permission: 'allow',
      evaluation: { type: 'auto', evaluated_permission: { type: 'allow' } },
      capstan: { judgement: 'As asked.' },
    });
    expect(edit?.capstan).not.toHaveProperty('input_sha256');
    (await player.model()).settle([say('done')]);
    await player.rests();
    const types = (await player.world.types()).filter((type) => /^(agent|span)/.test(type));
    expect(types).toEqual([
      ...[START, START, END, 'agent.tool_use', END, 'agent.tool_result'],
      ...[START, 'agent.message', END],
    ]);
  });

  it('that is asked about waits for a person, and for exactly its input', async () => {
    const { player, asked } = await doubted();
    asked.settle([verdicts(['ask', 'Nobody said which file.'])]);
    await player.rests();
    const [edit] = await uses(player);
    const input_sha256 = await inputHash({ path: 'a' });
    expect(edit).toMatchObject({
      evaluated_permission: 'ask',
      evaluation: { evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } },
      capstan: { judgement: 'Nobody said which file.', input_sha256 },
    });
    expect(await player.stops()).toEqual(['requires_action']);
    const allow = { type: 'user.tool_confirmation' as const, tool_use_id: edit?.id ?? '', result: 'allow' };
    await player.send({ ...allow, result: 'allow', input_sha256 });
    (await player.tool()).settle(outcome('changed'));
    // What a person allowed is not judged again.
    expect((await player.model()).call.builtIn).toBe(true);
    expect(player.world.harness.performed).toEqual([edit?.id]);
  });

  it('that a person denies does not run', async () => {
    const { player, asked } = await doubted();
    asked.settle([verdicts(['ask', 'Unclear.'])]);
    await player.rests();
    const [edit] = await uses(player);
    await player.send({ type: 'user.tool_confirmation', tool_use_id: edit?.id ?? '', result: 'deny' });
    expect(shownTo(await player.model())).toContain('The user rejected this tool call');
    expect(player.world.harness.performed).toEqual([]);
  });

  it('that is denied does not run: the model is told why, and goes on', async () => {
    const { player, asked } = await doubted();
    asked.settle([verdicts(['deny', 'It overwrites the database.'])]);
    const next = await player.model();
    expect(shownTo(next)).toContain('It overwrites the database.');
    const [edit] = await uses(player);
    expect(edit).toMatchObject({
      evaluated_permission: 'deny',
      evaluation: { evaluated_permission: { type: 'deny', reason_code: 'high_risk' } },
    });
    const [result] = await player.all('agent.tool_result');
    expect(result).toMatchObject({ tool_use_id: edit?.id, is_error: true });
    next.settle([say('then not')]);
    await player.rests();
    expect(player.world.harness.performed).toEqual([]);
    expect(await player.stops()).toEqual(['end_turn']);
  });

  it('is judged with the others of its reply, and apart from those that nobody doubts', async () => {
    const outputs = [
      say('on it'),
      use('edit', { path: 'a' }),
      use('bash', { command: 'free' }),
      use('edit', { path: 'b' }),
      use('write', { path: 'asks' }),
      use('ticket', { about: 'custom' }),
      use('grep'),
      { type: 'tool_call' as const, name: 'edit', input: null, problem: 'no JSON' },
    ];
    const { player, asked } = await doubted(judgedWorld(), outputs);
    const document = JSON.parse(/"text":("(?:[^"\\]|\\.)*")/.exec(shownTo(asked))?.[1] ?? '""');
    expect(JSON.parse(document).calls).toEqual([
      { call: 1, tool: 'edit', runs: 'sandbox', input: { path: 'a' } },
      { call: 2, tool: 'edit', runs: 'sandbox', input: { path: 'b' } },
    ]);
    expect(JSON.parse(document).conversation).toEqual([{ from: 'person', text: 'change it' }]);
    asked.settle([verdicts(['deny', 'not a'], ['allow', 'but b'])]);
    await until(async () => (await uses(player)).length === 6);
    const granted = (await uses(player)).map((event) => [event.name, event.evaluated_permission]);
    expect(granted).toEqual([
      ['edit', 'deny'],
      ['bash', 'allow'],
      ['edit', 'allow'],
      ['write', 'ask'],
      ['grep', 'deny'],
      ['edit', 'deny'],
    ]);
    const evaluations = (await uses(player)).map(({ evaluation }) => evaluation?.type);
    expect(evaluations).toEqual(['auto', 'always_allow', 'auto', 'always_ask', undefined, undefined]);
  });

  it('costs nothing where nobody doubts it', async () => {
    const player = await Player.open(judgedWorld());
    await player.send(message('look'));
    (await player.model()).settle([use('bash'), use('write')]);
    (await player.tool()).settle(outcome('seen'));
    await player.rests();
    expect(player.world.harness.models).toHaveLength(1);
  });

  it.each([
    ['words', [say('{"verdicts":[{"call":1,"verdict":"allow","reason":"ok"}]}')]],
    ['nothing', []],
    ['a verdict on another call', [use(JUDGE, { verdicts: [{ call: 2, verdict: 'allow', reason: '' }] })]],
  ])('is asked about where its judge says %s', async (_, outputs) => {
    const { player, asked } = await doubted();
    asked.settle(outputs);
    await player.rests();
    expect(await uses(player)).toMatchObject([{ evaluated_permission: 'ask' }]);
    expect(player.world.harness.performed).toEqual([]);
  });

  it.each([
    ['fails', new ModelFailure('model_overloaded_error', 'busy', { retryable: true, usage: USAGE })],
    ['cannot read it', new ModelFailure('unknown_error', 'no', { retryable: false, contextTooLong: true })],
    ['has a bug', new TypeError('undefined is not a function')],
  ])('is asked about where its judge %s; the turn is not given up', async (_, failure) => {
    const { player, asked } = await doubted();
    asked.fail(failure);
    await player.rests();
    expect(await uses(player)).toMatchObject([{ evaluated_permission: 'ask' }]);
    expect(await player.stops()).toEqual(['requires_action']);
    expect(await player.count('session.error')).toBe(0);
    expect((await player.all(END))[0]).toMatchObject({ is_error: true });
  });

  it('is asked about where its judge takes too long: what that took is not known', async () => {
    const { player, asked } = await doubted();
    expect(asked.call.withinMs).toBe(90_000);
    asked.fail(new ModelFailure('model_request_failed_error', 'too slow', { retryable: true }));
    await player.rests();
    expect(await uses(player)).toMatchObject([
      { evaluated_permission: 'ask', capstan: { judgement: 'The judge did not answer.' } },
    ]);
    expect([...player.world.ledger.values()]).toMatchObject([
      { kind: 'permission', estimated: true },
      { kind: 'model' },
    ]);
    expect(player.world.harness.models[0]?.call.withinMs).toBeUndefined();
  });

  it('is asked about, not judged by a part of it, where it is too long', async () => {
    const player = await Player.open(judgedWorld());
    await player.send(message('write it'));
    (await player.model()).settle([use('edit', { content: 'x'.repeat(20_000) })]);
    await player.rests();
    expect(player.world.harness.models).toHaveLength(1);
    expect(await uses(player)).toMatchObject([
      { evaluated_permission: 'ask', capstan: { judgement: expect.stringContaining('too long') } },
    ]);
  });

  it('of an MCP server is judged as one of that server', async () => {
    const toolset = {
      type: 'mcp_toolset' as const,
      mcp_server_name: 'crm',
      default_config: { enabled: true, permission_policy: { type: 'auto' as const } },
      configs: [],
    };
    const url = 'https://crm.example.com/mcp';
    const world = new World({ tools: [toolset], mcp_servers: [{ type: 'url', name: 'crm', url }] });
    const remove = { ...use('remove', { id: 7 }), server: 'crm' };
    const { player, asked } = await doubted(world, [remove]);
    expect(shownTo(asked)).toContain(String.raw`\"server\":\"crm\",\"runs\":\"mcp_server\"`);
    asked.settle([verdicts(['deny', 'It removes a customer.'])]);
    await player.model();
    expect(await player.all('agent.mcp_tool_use')).toMatchObject([
      { mcp_server_name: 'crm', evaluated_permission: 'deny', evaluation: { type: 'auto' } },
    ]);
    expect(await player.all('agent.mcp_tool_result')).toMatchObject([{ is_error: true }]);
    expect(world.harness.performed).toEqual([]);
  });

  it('of a machine of its user goes to a worker only when it is allowed', async () => {
    const world = judgedWorld();
    world.spec = { ...world.spec, environment: { type: 'self_hosted' } };
    const { player, asked } = await doubted(world, [use('edit', { n: 1 }), use('edit', { n: 2 })]);
    asked.settle([verdicts(['allow', 'fine'], ['deny', 'not that'])]);
    await player.rests();
    const [allowed, denied] = await uses(player);
    expect([allowed?.evaluated_permission, denied?.evaluated_permission]).toEqual(['allow', 'deny']);
    const [idle] = await player.all('session.status_idle');
    expect(idle?.stop_reason).toEqual({ type: 'requires_action', event_ids: [allowed?.id] });
  });

  it('of a child thread is asked about on the session, where its answer is taken', async () => {
    const tools = withJudged(new World().spec.agent.tools);
    const { multiagent: _none, ...own } = { ...new World().spec.agent, tools };
    const agents = [{ ...own, id: 'agent_scout', name: 'scout' }];
    const crew = await Crew.open({ tools, multiagent: { type: 'coordinator', agents } });
    const [scout = ''] = await crew.delegated(['scout', 'change it']);
    await crew.says(PRIMARY, 'I wait');
    (await crew.model(scout)).settle([use('edit', { path: 'a' })]);
    const asked = await crew.model(scout);
    // It was told so by an agent, not by a person.
    expect(shownTo(asked)).toContain(String.raw`{\"from\":\"other\"`);
    asked.settle([verdicts(['ask', 'No person said so.'])]);
    await crew.rests();
    const shown = (await crew.events()).find(({ type }) => type === 'agent.tool_use');
    expect(shown).toMatchObject({ session_thread_id: scout, capstan: { judgement: 'No person said so.' } });
    expect((await crew.types()).filter((type) => type === START)).toHaveLength(2);
    await crew.send({ type: 'user.tool_confirmation', tool_use_id: shown?.id ?? '', result: 'allow' });
    (await crew.tool(shown?.id ?? '')).settle(outcome('changed'));
    expect((await crew.model(scout)).input.at(-1)).toMatchObject({ callId: shown?.id });
  });
});

describe('while a call is judged', () => {
  it('an interrupt ends it: nothing runs, and both requests are paid for', async () => {
    const { player, asked } = await doubted();
    await player.send({ type: 'user.interrupt' });
    await player.rests();
    expect(asked.signal.aborted).toBe(true);
    asked.settle([verdicts(['allow', 'too late'])]);
    await quiesce();
    expect(await uses(player)).toEqual([]);
    expect(player.world.harness.performed).toEqual([]);
    const ends = await player.all(END);
    const starts = await player.all(START);
    expect(ends.map((end) => end.model_request_start_id)).toEqual([starts[1]?.id, starts[0]?.id]);
    expect([...player.world.ledger.values()]).toMatchObject([
      { kind: 'permission', estimated: true },
      { kind: 'model', estimated: true },
    ]);
  });

  it('the death of its process leaves nothing that ran: the model is asked again, and judged again', async () => {
    const { player } = await doubted();
    await player.restart();
    await player.retries();
    expect((await player.model()).call.builtIn).toBe(true);
    (await player.model()).settle([use('edit', { path: 'b' })]);
    (await player.model()).settle([verdicts(['deny', 'no'])]);
    (await player.model()).settle([say('ok')]);
    await player.rests();
    expect(await uses(player)).toMatchObject([{ evaluated_permission: 'deny', input: { path: 'b' } }]);
    expect(player.world.harness.performed).toEqual([]);
  });

  it('a process that died after the verdict runs what was allowed, and does not judge it again', async () => {
    const { player, asked } = await doubted();
    asked.settle([verdicts(['allow', 'fine'])]);
    const { effectId } = (await player.tool()).input;
    await player.restart();
    await player.retries();
    expect(shownTo(await player.model())).toContain('Outcome unknown');
    expect(player.world.harness.performed).toEqual([effectId]);
    const judging = (await player.all(START)).filter(({ capstan }) => capstan?.purpose === 'permission');
    expect(judging).toHaveLength(1);
  });

  it('an outcome that is defined is read after the reply that is judged', async () => {
    const player = await Player.open(judgedWorld());
    await player.send(message('change it'));
    const reply = await player.model();
    const rubric = { type: 'text' as const, content: 'it is good' };
    await player.send({ type: 'user.define_outcome', description: 'a thing', rubric });
    reply.settle([use('edit', { path: 'a' })]);
    (await player.model()).settle([verdicts(['allow', 'fine'])]);
    (await player.tool()).settle(outcome('changed'));
    const { input } = await player.model();
    expect(input.map(({ type }) => type)).toEqual(['user', 'tool_call', 'tool_result', 'user']);
  });

  it('a message is queued, and answered after the calls', async () => {
    const { player, asked } = await doubted();
    await player.send(message('and then rest'));
    asked.settle([verdicts(['allow', 'fine'])]);
    (await player.tool()).settle(outcome('changed'));
    expect(JSON.stringify((await player.model()).input.at(-1))).toContain('and then rest');
  });
});

describe('what a judge takes', () => {
  it('counts as any model call: in the session, its thread, the ledger and the limits', async () => {
    const { player, asked } = await doubted(judgedWorld(limit({ max_model_calls: 2 })));
    asked.settle({ type: 'end', outputs: [verdicts(['allow', 'fine'])], usage: USAGE, refusal: null });
    (await player.tool()).settle(outcome('changed'));
    await player.rests();
    expect(await player.stops()).toEqual(['budget_reached']);
    expect(player.runtime.view.usage).toMatchObject({ input_tokens: 20, output_tokens: 4 });
    expect([...player.world.ledger.values()].map(({ kind }) => kind)).toEqual(['permission', 'model']);
  });

  it('is set aside beside what the reply took, not beside what it might have taken', async () => {
    // A reply may use up the whole budget; this one did not.
    const { player, asked } = await doubted(judgedWorld(limit(cents(12))));
    const state = await player.world.state();
    const [thread] = state.threads;
    expect(thread?.openSpan?.reserved).toMatchObject({ tokens: 12, nanoUsd: 10 * 3_000 + 2 * 15_000 });
    expect(thread?.judging).toMatchObject({ kind: 'permission' });
    // What is left pays for no more than that, beside the prompt.
    expect(asked.call.maxOutputTokens).toBeGreaterThan(1_000);
    expect(asked.call.maxOutputTokens).toBeLessThan(8_000);
    asked.settle([verdicts(['allow', 'fine'])]);
    await player.tool();
    expect((await player.world.state()).threads[0]).toMatchObject({ openSpan: null, judging: null });
  });

  it('is not spent where the budget has no room for it: the call is denied, and the session pauses', async () => {
    const player = await Player.open(judgedWorld(limit({ max_model_calls: 1 })));
    await player.send(message('change it'));
    (await player.model()).settle([use('edit', { path: 'a' })]);
    await player.rests();
    expect(player.world.harness.models).toHaveLength(1);
    expect(await uses(player)).toMatchObject([
      {
        evaluated_permission: 'deny',
        evaluation: { evaluated_permission: { type: 'deny', reason_code: 'indeterminate' } },
      },
    ]);
    expect(await player.stops()).toEqual(['budget_reached']);
    await player.runtime.update({ budget: null });
    expect(shownTo(await player.model())).toContain('no room to judge');
    expect(player.world.harness.performed).toEqual([]);
  });

  it('stays within the budget when it takes all that it may', async () => {
    const { player, asked } = await doubted(judgedWorld(limit({ max_tokens: 9_000 })));
    const most = asked.call.maxOutputTokens ?? 0;
    asked.settle(took([verdicts(['allow', 'fine'])], { input_tokens: 100, output_tokens: most }));
    (await player.tool()).settle(outcome('changed'));
    await until(async () => (await player.world.types()).includes('agent.tool_result'));
    expect((await player.world.state()).spent.tokens).toBeLessThanOrEqual(9_000);
  });
});
