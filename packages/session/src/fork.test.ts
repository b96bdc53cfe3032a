import { ApiError } from '@capstan/schema/error';
import { silentLogger } from '@capstan/shared/logger';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelContext } from './context.ts';
import { toolsAt } from './lending.ts';
import type { Line } from './line.ts';
import { readable } from './log-reader.ts';
import { owed } from './machine.ts';
import type { SessionRuntime } from './runtime.ts';
import { outcome, say, use } from './scripted-harness.ts';
import { Play, step } from './testing/play.ts';
import { Player } from './testing/player.ts';
import { quiesce, until, World } from './testing.ts';

type Source = Pick<Player, 'world' | 'runtime'>;

/** A world for a session that begins with the log of another, up to an event. */
function forkOf({ world: source, runtime }: Source, at: string, name = 'fork'): World {
  const { spec } = source;
  const world = new World(spec.agent);
  const sessionId = `sesn_${name}`;
  const origin = { sessionId: spec.sessionId, eventId: at };
  world.spec = { ...world.spec, agent: spec.agent, sessionId, threadId: `sthr_${name}`, origin };
  world.others.set(spec.sessionId, runtime);
  // Its ids are its own.
  world.ids = source.ids + 1_000;
  return world;
}

const last = async (world: World) =>
  (await world.events()).findLast((event) => event.processed_at !== null)?.id ?? '';

async function rows(world: World): Promise<Line[]> {
  return world.log.lines(0, 10_000);
}

async function contextOf(world: World, upTo = Number.POSITIVE_INFINITY) {
  const { log, blobs } = world;
  const cut = {
    lines: async (...query: Parameters<typeof log.lines>) =>
      (await log.lines(...query)).filter(({ seq }) => seq <= upTo),
  };
  const reader = readable(Object.assign(Object.create(log), cut), { blobs, logger: silentLogger });
  return (await new ModelContext({ log: reader, thread: null, from: 0 }).items()).map(({ item }) => item);
}

const ROOMY = { contextWindow: 100_000_000 };

async function roomy(): Promise<Player> {
  const player = await Player.open();
  player.world.harness.choice = ROOMY;
  return player;
}

/** A conversation of one turn with a tool call, at rest. */
async function talked(): Promise<Player> {
  const player = await Player.open();
  await player.send(Player.message('hello'));
  (await player.model()).settle([say('looking'), use('bash', { command: 'ls' })]);
  (await player.tool()).settle(outcome('a file'));
  (await player.model()).settle([say('done')]);
  await player.rests();
  return player;
}

describe('a fork', () => {
  it('has the log up to the event and a closing of its own, is idle, and goes on from there', async () => {
    const source = await talked();
    const at = await last(source.world);
    const world = forkOf(source, at);
    const fork = await Player.open(world);
    const copied = (await rows(source.world)).length;
    expect((await rows(world)).slice(0, copied)).toEqual(await rows(source.world));
    expect((await world.types()).slice(copied)).toEqual([
      'session.updated',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    await fork.send(Player.message('and now'));
    const call = await fork.model();
    expect(call.input.map(({ type }) => type)).toEqual([
      'user',
      'message',
      'tool_call',
      'tool_result',
      'message',
      'user',
    ]);
    call.settle([say('ok')]);
    await fork.rests();
    expect((await rows(source.world)).length).toBe(copied);
  });

  it('begins with nothing used, and its ledger has only what it uses itself', async () => {
    const source = await talked();
    const fork = await Player.open(forkOf(source, await last(source.world)));
    expect(fork.runtime.view.usage).toMatchObject({ input_tokens: 0, output_tokens: 0, list_cost: null });
    expect(fork.runtime.view.activeSeconds).toBe(0);
    await fork.send(Player.message('and now'));
    (await fork.model()).settle([say('ok')]);
    await fork.rests();
    await until(() => fork.world.ledger.size > 0);
    await quiesce();
    expect(fork.world.ledger.size).toBe(1);
    expect(fork.runtime.view.usage.input_tokens).toBe(10);
  });

  it('begins with the tools that the agent had at the event', async () => {
    const source = await Player.open();
    const tools = [
      {
        type: 'custom' as const,
        name: 'one',
        description: 'One.',
        input_schema: { type: 'object' as const },
      },
    ];
    const at: string[] = [];
    for (const change of [[], tools]) {
      await source.runtime.update({ agent: { tools: change } });
      at.push(await last(source.world));
      await source.runtime.update({ title: `after ${at.length}` });
    }
    const had = (eventId: string) =>
      toolsAt(source.runtime, { sessionId: source.world.spec.sessionId, eventId });
    const [before = '', after = ''] = at;
    expect(await had(before)).toEqual({ tools: [], mcp_servers: [] });
    expect(await had(after)).toEqual({ tools, mcp_servers: [] });
    expect(await had(await last(source.world))).toEqual({ tools, mcp_servers: [] });
    expect(await had('sevt_nobody')).toBeNull();
    const fork = await Player.open(forkOf(source, after));
    expect(fork.runtime.view.agentTools).toEqual({ tools, mcp_servers: [] });
  });

  it('tells the control plane what it is', async () => {
    const source = await talked();
    const world = forkOf(source, await last(source.world));
    await world.open();
    await until(() => world.index !== null && world.alarmAt === null);
    expect(world.index).toMatchObject({ status: 'idle', archivedAt: null });
  });

  it('in the midst of a tool call closes the call and performs nothing', async () => {
    const source = await Player.open();
    await source.send(Player.message('hello'));
    (await source.model()).settle([use('bash'), use('write')]);
    await source.tool();
    const [, ask] = await source.uses();
    const fork = await Player.open(forkOf(source, ask?.id ?? ''));
    expect(fork.world.harness.performed).toEqual([]);
    expect(fork.world.harness.recovered).toEqual([]);
    expect(await fork.count('agent.tool_result')).toBe(2);
    expect(source.runtime.view.status).toBe('running');
  });

  it('has not worked for the time between what it copied and its own beginning', async () => {
    const source = await Player.open();
    await source.send(Player.message('hello'));
    (await source.model()).settle([use('bash')]);
    await source.tool();
    const [call] = await source.uses();
    const world = forkOf(source, call?.id ?? '');
    world.now += 7 * 86_400_000;
    const { runtime } = await Player.open(world);
    expect(runtime.view).toMatchObject({ activeSeconds: 0, usage: { active_seconds: 0 } });
    expect(runtime.threads).toMatchObject([{ activeSeconds: 0 }]);
  });

  it('of an archived session is idle, and goes on', async () => {
    const source = await talked();
    await source.runtime.archive();
    const fork = await Player.open(forkOf(source, await last(source.world)));
    expect(fork.runtime.view).toMatchObject({ status: 'idle', archivedAt: null });
    await fork.send(Player.message('and now'));
    (await fork.model()).settle([say('ok')]);
    await fork.rests();
  });

  it('has the budget it is given, not the one that was set meanwhile', async () => {
    const source = await talked();
    await source.runtime.update({ budget: { type: 'limit', max_tokens: 1_000 }, title: 'x' });
    const fork = await Player.open(forkOf(source, await last(source.world)));
    expect(fork.runtime.view).toMatchObject({ budget: null, title: null });
  });

  it('can be forked again', async () => {
    const source = await talked();
    const first = await Player.open(forkOf(source, await last(source.world)));
    await first.send(Player.message('second'));
    (await first.model()).settle([say('of the first fork')]);
    await first.rests();
    const world = forkOf(first, await last(first.world), 'grandchild');
    const second = await Player.open(world);
    await second.send(Player.message('third'));
    expect(JSON.stringify((await second.model()).input)).toContain('of the first fork');
    expect(second.runtime.view.usage.input_tokens).toBe(0);
  });
});

describe('the copy of a log', () => {
  it('that breaks off goes on from what there is, however often', async () => {
    const source = await talked();
    const world = forkOf(source, await last(source.world));
    let calls = 0;
    const few: Pick<SessionRuntime, 'copyLines'> = {
      copyLines: async (after, until_) => {
        calls += 1;
        if (calls % 2 === 0) throw new Error('the connection broke off');
        return (await source.runtime.copyLines(after, until_)).slice(0, 3);
      },
    };
    world.others.set(source.world.spec.sessionId, few);
    let fork: SessionRuntime | null = null;
    while (fork === null) fork = await world.open().catch(() => null);
    const copied = await rows(source.world);
    expect((await rows(world)).slice(0, copied.length)).toEqual(copied);
    expect((await world.types()).filter((type) => type === 'session.updated')).toHaveLength(1);
    expect(calls).toBeGreaterThan(5);
  });

  it('whose source is deleted meanwhile says so: the fork is terminated, and can be deleted', async () => {
    const source = await Player.open();
    await source.send(Player.message('hello'));
    (await source.model()).settle([use('bash')]);
    await source.tool();
    const world = forkOf(source, await last(source.world));
    let calls = 0;
    world.others.set(source.world.spec.sessionId, {
      copyLines: async (after, until_) => {
        calls += 1;
        if (calls === 1) return (await source.runtime.copyLines(after, until_)).slice(0, 3);
        throw new ApiError('not_found', 'No session');
      },
    });
    const fork = await world.open();
    expect(fork.view.status).toBe('terminated');
    const errors = (await world.events()).filter(({ type }) => type === 'session.error');
    expect(errors).toMatchObject([{ error: { retry_status: { type: 'terminal' } } }]);
    expect((await world.types()).at(-1)).toBe('session.status_terminated');
    expect(world.harness.performed).toEqual([]);
    await quiesce();
    const again = await world.open();
    expect(again.view.status).toBe('terminated');
    expect(calls).toBe(2);
    await again.delete();
    await until(() => world.erased);
  });

  it('whose source cannot be reached is tried again', async () => {
    const source = await talked();
    const world = forkOf(source, await last(source.world));
    world.others.set(source.world.spec.sessionId, {
      copyLines: () => Promise.reject(new ApiError('unavailable', 'away')),
    });
    await expect(world.open()).rejects.toMatchObject({ code: 'unavailable' });
    world.others.set(source.world.spec.sessionId, source.runtime);
    expect((await world.open()).view.status).toBe('idle');
  });

  it('that is whole needs its source no more, not even for what was too large for a row', async () => {
    const large = 'x'.repeat(400_000);
    const source = await roomy();
    await source.send(Player.message(large));
    (await source.model()).settle([use('bash', { command: large })]);
    (await source.tool()).settle(outcome(large));
    (await source.model()).settle([say('done')]);
    await source.rests();
    const world = forkOf(source, await last(source.world));
    world.harness.choice = ROOMY;
    await world.open();
    await source.runtime.delete();
    await until(() => source.world.erased);
    world.others.clear();
    const fork = await Player.open(world);
    await fork.send(Player.message('and now'));
    const { input } = await fork.model();
    expect(JSON.stringify(input).split(large)).toHaveLength(4);
  });

  it('is asked for in pieces that one call carries', async () => {
    const source = await roomy();
    const large = 'x'.repeat(3_000_000);
    for (let round = 0; round < 5; round++) {
      await source.send(Player.message(large));
      (await source.model()).settle([say('ok')]);
      await source.rests();
    }
    const world = forkOf(source, await last(source.world));
    const sizes: number[] = [];
    world.others.set(source.world.spec.sessionId, {
      copyLines: async (after, until_) => {
        const lines = await source.runtime.copyLines(after, until_);
        sizes.push(lines.reduce((sum, { data }) => sum + data.length, 0));
        return lines;
      },
    });
    await world.open();
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThan(16_000_000);
  });
});

describe('a fork with threads', () => {
  it('goes on with the agents there were: they are written to, and answer', async () => {
    const play = new Play();
    const source = await Player.open(play.world);
    await source.send(Player.message('go'));
    (await source.model()).settle([use('delegate', { agent: 'scout', message: 'look' })]);
    const child = () => source.runtime.threads[1]?.id ?? '';
    await until(() => source.world.harness.waitingModels.length === 2);
    for (const call of source.world.harness.waitingModels) call.settle([say(`from ${call.call.threadId}`)]);
    (await source.model()).settle([say('thanks')]);
    await source.rests();
    const fork = await Player.open(forkOf(source, await last(source.world)));
    await fork.send(Player.message('again'));
    (await fork.model()).settle([use('delegate', { thread_id: child(), message: 'once more' })]);
    await until(() => fork.world.harness.waitingModels.length === 2);
    const [one, other] = fork.world.harness.waitingModels;
    const [scout, boss] = one?.call.threadId === child() ? [one, other] : [other, one];
    expect(JSON.stringify(scout?.input)).toContain('look');
    scout?.settle([say('found it')]);
    boss?.settle([say('waiting')]);
    const answered = await fork.model();
    expect(JSON.stringify(answered.input)).toContain('found it');
    answered.settle([say('good')]);
    await fork.rests();
  });
});

it('at any event of any log is idle with nothing open, has the context there was, and takes a message', async () => {
  let forks = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 3, maxLength: 3 }),
      async (steps, places) => {
        const play = new Play();
        for (const next of steps) await play.take(next);
        const source = await play.live();
        const events = (await play.world.events()).filter(({ processed_at }) => processed_at !== null);
        for (const [index, place] of places.entries()) {
          const at = events[Math.floor(place * events.length)]?.id;
          if (at === undefined) continue;
          forks += 1;
          await checkFork({ world: play.world, runtime: source }, { at, name: `fork${index}` });
        }
      },
    ),
    { numRuns: 40 },
  );
  expect(forks).toBeGreaterThan(50);
}, 120_000);

async function checkFork(from: Source, { at, name }: { at: string; name: string }): Promise<void> {
  const { world: source } = from;
  const world = forkOf(from, at, name);
  world.harness.choice = source.harness.choice;
  const fork = await world.open();
  const copied = (await source.log.position(at)) ?? 0;
  const before = (await contextOf(source, copied)).filter(({ type }) => type !== 'system');
  const state = await world.state();
  expect(fork.view).toEqual(owed(state, world.spec, world.now).index);
  expect(fork.view).toMatchObject({ status: 'idle', activeSeconds: 0, archivedAt: null });
  expect(fork.view.usage).toMatchObject({ input_tokens: 0, output_tokens: 0 });
  for (const thread of state.threads) {
    expect(thread).toMatchObject({ calls: [], queue: [], openSpan: null, paused: false, turnId: null });
    expect(['idle', 'terminated']).toContain(thread.status);
  }
  expect(state.outcome).toBeNull();
  const now = await contextOf(world);
  expect(now.filter(({ type }) => type !== 'system').slice(0, before.length)).toEqual(before);
  await fork.send([Player.message('go on')]);
  // What is longer than the model can read is given up before anybody is asked.
  await until(() => world.harness.waitingModels.length > 0 || fork.view.status === 'idle');
  for (let round = 0; fork.view.status !== 'idle'; round++) {
    if (round > 50) throw new Error(`never rests: ${(await world.types()).slice(-30)}`);
    for (const call of world.harness.waitingModels) call.settle([say('done')]);
    await quiesce();
  }
  expect(world.harness.performed).toEqual([]);
  const { threads } = await world.state();
  expect(threads.flatMap(({ calls, queue }) => [...calls, ...queue])).toEqual([]);
}
