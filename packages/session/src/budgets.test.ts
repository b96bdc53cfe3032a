// What a budget does to a session: it pauses in time, holds still, and goes on by itself.
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { describe, expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import { outcome, PRICE, say, use } from './scripted-harness.ts';
import { Crew, PRIMARY, wordsOf } from './testing/crew.ts';
import { cents, hello, interrupt, limit, Stage, took } from './testing/stage.ts';
import { quiesce, until } from './testing.ts';

/** As a provider says it before it begins with a call. */
const busy = new ModelFailure('model_overloaded_error', 'busy', { retryable: true, usage: ZERO_MODEL_USAGE });

const PAUSE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];

/** One model call, then a tool whose result nobody may reply to. */
async function pausedAfterOneCall(): Promise<Stage> {
  const stage = await Stage.open(limit({ max_model_calls: 1 }));
  await stage.send(hello);
  await stage.replies([say('on it'), use('bash')]);
  (await stage.tool()).settle(outcome('done'));
  await stage.rests();
  return stage;
}

describe('a budget that has no room for the next model call', () => {
  it('pauses the session in the order of the API, with what it has used', async () => {
    const stage = await pausedAfterOneCall();
    expect((await stage.events()).map(({ type }) => type).slice(-3)).toEqual(PAUSE);
    expect(await stage.stops()).toEqual(['budget_reached']);
    const [thread] = await stage.of('session.thread_status_idle');
    expect(thread?.stop_reason).toEqual({ type: 'budget_reached' });
    expect(await stage.of('session.usage')).toMatchObject([
      {
        budget: { type: 'limit', max_model_calls: 1 },
        usage: { input_tokens: 10, output_tokens: 2, list_cost: { amount: '1', currency: 'USD' } },
      },
    ]);
    expect(stage.world.harness.models).toHaveLength(1);
  });

  it.each([
    ['money', limit(cents(1))],
    ['tokens', limit({ max_tokens: 1_000 })],
  ])('pauses before a first call that %s does not pay for', async (_, budget) => {
    const stage = await Stage.open(budget);
    const long = {
      type: 'user.message' as const,
      content: [{ type: 'text' as const, text: 'x'.repeat(9_000) }],
    };
    await stage.send(long);
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
    expect(stage.world.harness.models).toEqual([]);
  });

  it('makes a call shorter that would fit only then', async () => {
    const stage = await Stage.open(limit({ max_tokens: 3_000 }));
    await stage.send(hello);
    const call = await stage.model();
    expect(call.call.maxOutputTokens).toBeGreaterThan(256);
    expect(call.call.maxOutputTokens).toBeLessThan(1_500);
  });

  it('counts what came in meanwhile for what the call will read', async () => {
    const stage = await Stage.open(limit({ max_tokens: 20_000 }));
    await stage.send(hello);
    const first = await stage.model();
    const long = {
      type: 'user.message' as const,
      content: [{ type: 'text' as const, text: 'x'.repeat(70_000) }],
    };
    await stage.send(long);
    first.settle([say('one')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
    expect(stage.world.harness.models).toHaveLength(1);
  });

  it('pauses a session with a limit of money whose model has no list price', async () => {
    const stage = await Stage.open(limit(cents(1_000)));
    stage.world.harness.choice = { price: null };
    await stage.send(hello);
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
    await stage.runtime.update({ budget: limit({ max_tokens: 50_000 }) });
    await stage.replies([say('hi')]);
    await stage.rests();
    expect(stage.runtime.view.usage.list_cost).toBeNull();
  });

  it('lets a person answer first: a pending ask outranks it', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 1 }));
    await stage.send(hello);
    await stage.replies([use('write')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['requires_action']);
    const [asked] = await stage.of('agent.tool_use');
    await stage.send({ type: 'user.tool_confirmation', tool_use_id: asked?.id ?? '', result: 'allow' });
    (await stage.tool()).settle(outcome('written'));
    await stage.rests();
    expect(await stage.stops()).toEqual(['requires_action', 'budget_reached']);
  });

  it('says that it pauses when the last answer leaves nothing else to wait for', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 1 }));
    await stage.send(hello);
    await stage.replies([use('ticket')]);
    await stage.rests();
    const [asked] = await stage.of('agent.custom_tool_use');
    const { events } = await stage.send({
      type: 'user.custom_tool_result',
      custom_tool_use_id: asked?.id ?? '',
      content: [],
    });
    expect(await stage.typesAfter(events[0]?.id)).toEqual(PAUSE);
    expect(await stage.stops()).toEqual(['requires_action', 'budget_reached']);
    await stage.runtime.update({ budget: null });
    await stage.replies([say('thanks')]);
    await stage.rests();
    expect((await stage.stops()).at(-1)).toBe('end_turn');
  });
});

describe('at the cap', () => {
  it('takes only answers and interrupts, and says so', async () => {
    const stage = await pausedAfterOneCall();
    const before = await stage.events();
    const rubric = { type: 'text' as const, content: 'r' };
    for (const event of [hello, { type: 'user.define_outcome' as const, description: 'd', rubric }]) {
      const taken = 'user.tool_confirmation, user.tool_result, user.custom_tool_result, user.interrupt';
      await expect(stage.send(event)).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(new RegExp(`^events\\.0: .*takes no ${event.type} .*only ${taken}$`)),
      });
    }
    await expect(stage.send(interrupt, hello)).rejects.toThrow(/^events\.1: /);
    expect(await stage.events()).toEqual(before);
  });

  it('takes nothing more once a limit is used up, even when nothing waits', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 1 }));
    await stage.send(hello);
    await stage.replies([say('hi')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['end_turn']);
    await expect(stage.send(hello)).rejects.toThrow(/budget is reached/);
  });

  it('answers an interrupt that it ignores, and keeps nothing of it', async () => {
    const stage = await pausedAfterOneCall();
    const before = await stage.events();
    const { events } = await stage.send(interrupt);
    expect(events).toMatchObject([{ type: 'user.interrupt' }]);
    expect(await stage.events()).toEqual(before);
    await stage.runtime.update({ budget: null });
    const next = await stage.model();
    expect(next.input.at(-1)).toMatchObject({ type: 'tool_result' });
  });
});

describe('a budget that is changed', () => {
  it.each([
    ['raised', limit({ max_model_calls: 2 })],
    ['removed', null],
  ])('and %s lets the session go on by itself, and tells so first', async (_, budget) => {
    const stage = await pausedAfterOneCall();
    const last = await stage.lastId();
    const view = await stage.runtime.update({ budget });
    expect(view).toMatchObject({ budget, status: 'running' });
    const next = await stage.model();
    expect(next.input.map(({ type }) => type)).toEqual(['user', 'message', 'tool_call', 'tool_result']);
    expect((await stage.typesAfter(last)).slice(0, 4)).toEqual([
      'session.updated',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
    ]);
    expect((await stage.of('session.updated'))[0]).toMatchObject({ budget });
    next.settle([say('done')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached', 'end_turn']);
  });

  it('has to leave room: at or below what is used it is refused by name', async () => {
    const stage = await pausedAfterOneCall();
    const before = await stage.events();
    for (const limits of [
      { max_tokens: 12 },
      { ...cents(100), max_tokens: 5 },
      { max_model_calls: 1, max_tokens: 50 },
    ]) {
      await expect(stage.runtime.update({ budget: limit(limits) })).rejects.toMatchObject({
        code: 'invalid_request',
        reason: 'budget_not_raised',
      });
    }
    expect(await stage.events()).toEqual(before);
  });

  it('to what it is already changes and tells nothing', async () => {
    const stage = await pausedAfterOneCall();
    const before = await stage.events();
    await stage.runtime.update({ budget: limit({ max_model_calls: 1 }) });
    await stage.runtime.update({});
    expect(await stage.events()).toEqual(before);
    const free = await Stage.open();
    await free.runtime.update({ budget: null });
    expect(await free.events()).toEqual([]);
  });

  it('by less than the next call needs, pauses again', async () => {
    const stage = await Stage.open(limit({ max_tokens: 500 }));
    await stage.send(hello);
    await stage.rests();
    await stage.runtime.update({ budget: limit({ max_tokens: 600 }) });
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached', 'budget_reached']);
    expect(stage.world.harness.models).toEqual([]);
    await expect(stage.send(hello)).rejects.toThrow(/budget is reached/);
    await stage.runtime.update({ budget: limit({ max_tokens: 60_000 }) });
    await stage.replies([say('hi')]);
    await stage.rests();
    expect((await stage.stops()).at(-1)).toBe('end_turn');
  });

  it('can be given to a session that has none and rests', async () => {
    const stage = await Stage.open();
    await stage.runtime.update({ budget: limit({ max_model_calls: 1 }) });
    await stage.send(hello);
    await stage.replies([use('bash')]);
    (await stage.tool()).settle(outcome('done'));
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
  });

  it('can be given to a session that has none and runs, and counts the call under way', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    const call = await stage.model();
    await stage.runtime.update({ budget: limit({ max_model_calls: 1 }) });
    expect((await stage.events()).at(-1)).toMatchObject({ type: 'session.updated' });
    expect(stage.status).toBe('running');
    call.settle([use('bash')]);
    (await stage.tool()).settle(outcome('done'));
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
    expect(stage.world.harness.models).toHaveLength(1);
  });

  it('stands as it was for a new process', async () => {
    const stage = await pausedAfterOneCall();
    await stage.runtime.update({ title: 'named' });
    const view = stage.runtime.view;
    await stage.restart();
    expect(stage.runtime.view).toEqual(view);
    await expect(stage.send(hello)).rejects.toThrow(/budget is reached/);
    await quiesce();
    expect(stage.world.harness.waitingModels).toEqual([]);
    await stage.runtime.update({ budget: limit({ max_model_calls: 5 }) });
    await stage.restart();
    expect(stage.runtime.view.budget).toEqual(limit({ max_model_calls: 5 }));
  });
});

describe('what is set aside', () => {
  it('is free again when the call fails and when its process dies, but for what that took', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 3, max_tokens: 8_000 }));
    await stage.send(hello);
    const first = await stage.model();
    first.fail(busy);
    await until(() => stage.status === 'rescheduling');
    await stage.world.ring(stage.runtime);
    const second = await stage.model();
    expect(second.call.maxOutputTokens).toBe(first.call.maxOutputTokens);
    await stage.recover();
    const third = await stage.model();
    const { input_tokens: read } = stage.runtime.view.usage;
    expect(read).toBeGreaterThan(1_500);
    expect(third.call.maxOutputTokens).toBe((first.call.maxOutputTokens ?? 0) - read);
    third.settle([say('hi')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['end_turn']);
    expect((await stage.world.state()).spent.modelCalls).toBe(3);
  });

  it('is kept over a pause of nothing but its process', async () => {
    const stage = await Stage.open(limit({ max_tokens: 50_000 }));
    await stage.send(hello);
    await stage.replies(took([use('bash')], { input_tokens: 45_000, output_tokens: 3_500 }));
    await stage.tool();
    await stage.recover();
    await stage.rests();
    // The tool's outcome is unknown, and there is no room to speak of it.
    expect(await stage.stops()).toEqual(['budget_reached']);
  });

  it('is billed for a reply that is empty, and counts', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 1 }));
    await stage.send(hello);
    await stage.replies([]);
    await until(() => stage.status === 'rescheduling');
    expect((await stage.of('span.model_request_end'))[0]).toMatchObject({
      is_error: true,
      model_usage: { input_tokens: 10, output_tokens: 2 },
    });
    await stage.world.ring(stage.runtime);
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
    expect(stage.runtime.view.usage).toMatchObject({ input_tokens: 10, list_cost: { amount: '1' } });
    await until(() => stage.world.ledger.size === 1);
  });

  it('limits a compaction like any other call, which counts as one', async () => {
    const stage = await Stage.open(limit({ max_tokens: 100_000, max_model_calls: 3 }));
    stage.world.harness.choice = { contextWindow: 20_000, maxOutputTokens: 2_000 };
    await stage.send(hello);
    await stage.replies(took([use('bash')], { input_tokens: 18_000, output_tokens: 10 }));
    (await stage.tool()).settle(outcome('done'));
    const compaction = await stage.model();
    expect(compaction.call).toMatchObject({ builtIn: false, maxOutputTokens: 2_000 });
    compaction.settle([say('summary')]);
    await stage.replies([use('bash')]);
    (await stage.tool()).settle(outcome('done'));
    await stage.rests();
    expect(await stage.stops()).toEqual(['budget_reached']);
    expect(stage.world.harness.models).toHaveLength(3);
  });

  it('shortens a compaction that has room for less', async () => {
    const stage = await Stage.open(limit({ max_tokens: 22_000 }));
    stage.world.harness.choice = { contextWindow: 20_000, maxOutputTokens: 4_000 };
    await stage.send(hello);
    await stage.replies(took([use('bash')], { input_tokens: 18_000, output_tokens: 10 }));
    (await stage.tool()).settle(outcome('done'));
    const { call } = await stage.model();
    expect(call.builtIn).toBe(false);
    expect(call.maxOutputTokens).toBeLessThan(2_500);
  });
});

describe('threads that share a budget', () => {
  const crewWith = async (limits: Parameters<typeof limit>[0]) => {
    const crew = await Crew.open();
    await crew.runtime.update({ budget: limit(limits) });
    return crew;
  };

  it('never set aside more than there is, together', async () => {
    const crew = await crewWith({ max_tokens: 12_000 });
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'look'], ['scribe', 'write']);
    const calls = [await crew.model(PRIMARY), await crew.model(scout), await crew.model(scribe)];
    const state = await crew.world.state();
    const held = state.threads.reduce((sum, { openSpan }) => sum + (openSpan?.reserved.tokens ?? 0), 0);
    expect(held + state.spent.tokens).toBeLessThanOrEqual(12_000);
    for (const { call } of calls) expect(call.maxOutputTokens).toBeGreaterThan(256);
  });

  it('pause one by one, and the session with the last', async () => {
    const crew = await crewWith({ max_model_calls: 3 });
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'look'], ['scribe', 'write']);
    await until(() => crew.world.harness.waitingModels.length === 2);
    await quiesce();
    const [waits = ''] = [PRIMARY, scout, scribe].filter((id) => !crew.asks(id));
    expect(crew.status(waits)).toBe('idle');
    expect(crew.runtime.view.status).toBe('running');
    for (const id of [PRIMARY, scout, scribe]) if (crew.asks(id)) await crew.says(id, 'done');
    await crew.rests();
    const types = await crew.types();
    expect(types.slice(-2)).toEqual(['session.usage', 'session.status_idle']);
    expect((await crew.stops()).at(-1)).toEqual({ type: 'budget_reached' });
    const state = await crew.world.state();
    expect(state.spent.modelCalls).toBe(3);
    expect(crew.world.harness.models).toHaveLength(3);
  });

  it('go on when what another had set aside is free again', async () => {
    const crew = await crewWith({ max_tokens: 4_000 });
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'look'], ['scribe', 'write']);
    const all = [PRIMARY, scout, scribe];
    await until(() => crew.world.harness.waitingModels.length === 1);
    await until(() => all.filter((id) => crew.status(id) === 'idle').length === 2);
    const fails = all.find((id) => crew.asks(id)) ?? '';
    (await crew.model(fails)).fail(busy);
    await until(() => all.some((id) => id !== fails && crew.asks(id)));
    await crew.world.ring(crew.runtime);
    await until(() => crew.status(fails) === 'idle');
    const state = await crew.world.state();
    const held = state.threads.reduce((sum, { openSpan }) => sum + (openSpan?.reserved.tokens ?? 0), 0);
    expect(held + state.spent.tokens).toBeLessThanOrEqual(4_000);
  });

  it('say that they wait for the budget when an answer comes after it is used up', async () => {
    const crew = await crewWith({ max_model_calls: 3 });
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(PRIMARY, 'it is at it');
    await crew.says(scout, 'seen');
    await crew.rests();
    // The answer is there, and the budget has no room for a call that reads it.
    expect((await crew.stops()).at(-1)).toEqual({ type: 'budget_reached' });
    expect((await crew.types()).slice(-3)).toEqual(PAUSE);
    await crew.runtime.update({ budget: null });
    expect(wordsOf((await crew.model(PRIMARY)).input)).toContain('seen');
  });

  /** The coordinator calls; its scout waits for the budget, with what it was asked. */
  async function oneWaits() {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.model(PRIMARY);
    (await crew.model(scout)).fail(busy);
    await until(() => crew.status(scout) === 'rescheduling');
    await crew.runtime.update({ budget: limit({ max_model_calls: 3 }) });
    while (crew.status(scout) !== 'idle') {
      await crew.world.ring(crew.runtime);
      await quiesce();
    }
    expect((await crew.world.state()).threads.map(({ paused }) => paused)).toEqual([false, true]);
    return { crew, scout };
  }

  it('are all stopped by an interrupt while one of them still works', async () => {
    const { crew } = await oneWaits();
    await crew.send({ type: 'user.interrupt' });
    await crew.rests();
    await quiesce();
    expect(crew.world.harness.waitingModels).toEqual([]);
    expect((await crew.stops()).at(-1)).toEqual({ type: 'end_turn' });
    expect((await crew.world.state()).threads.some(({ paused }) => paused)).toBe(false);
  });

  it('take messages as long as one of them works', async () => {
    const { crew } = await oneWaits();
    const { events } = await crew.send(hello);
    expect(events).toMatchObject([{ processed_at: null }]);
    await crew.says(PRIMARY, 'done');
    await crew.rests();
    expect((await crew.stops()).at(-1)).toEqual({ type: 'budget_reached' });
    await expect(crew.send(hello)).rejects.toThrow(/budget is reached/);
    await crew.runtime.update({ budget: null });
    expect(wordsOf((await crew.model(PRIMARY)).input)).toContain('hello');
  });

  it('rest for a person first, whoever waits for the budget', async () => {
    const { crew } = await oneWaits();
    const asked = await crew.uses(PRIMARY, 'ticket');
    await crew.rests();
    expect((await crew.stops()).at(-1)).toEqual({ type: 'requires_action', event_ids: [asked] });
    await crew.send({ type: 'user.custom_tool_result', custom_tool_use_id: asked, content: [] });
    expect((await crew.stops()).at(-1)).toEqual({ type: 'budget_reached' });
  });

  it('count what was under way before there was a budget', async () => {
    const crew = await Crew.open();
    await crew.delegated(['scout', 'look']);
    await crew.uses(PRIMARY, 'bash');
    await crew.runtime.update({ budget: limit({ max_tokens: 12_000 }) });
    (await crew.tool(crew.world.harness.performed[0] ?? '')).settle(outcome('done'));
    const { call } = await crew.model(PRIMARY);
    // The scout's call may still take its 8,000.
    expect(call.maxOutputTokens).toBeLessThan(3_000);
  });
});

it('costs what the price list says, to the cent', async () => {
  const stage = await Stage.open();
  await stage.send(hello);
  const usage = { input_tokens: 1_000_000, output_tokens: 100_000, cache_read_input_tokens: 10_000 };
  await stage.replies(took([say('hi')], usage));
  await stage.rests();
  const nanoUsd = 1_000_000 * PRICE.input + 100_000 * PRICE.output + 10_000 * PRICE.cacheRead;
  expect(stage.runtime.view.usage.list_cost).toEqual({
    amount: String(Math.ceil(nanoUsd / 10_000_000)),
    currency: 'USD',
  });
});
