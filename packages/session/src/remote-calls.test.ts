// A session of a self-hosted environment: its machine is its user's own, and so is whoever works there.
import type { EventParam } from '@capstan/schema/events/user-events';
import { describe, expect, it } from 'vitest';
import { outcome, say, use } from './scripted-harness.ts';
import { Player } from './testing/player.ts';
import { quiesce, until, World } from './testing.ts';

const { message } = Player;

async function open(): Promise<Player> {
  const world = new World();
  world.spec = { ...world.spec, environment: { type: 'self_hosted' } };
  return Player.open(world);
}

/** Calls of tools by their names, in this order; the session waits for them. */
async function called(player: Player, ...calls: Parameters<typeof use>[]): Promise<string[]> {
  await player.send(message('work'));
  (await player.model()).settle(calls.map((call) => use(...call)));
  await player.rests();
  return (await player.uses()).slice(-calls.length).map(({ id }) => id);
}

const result = (tool_use_id: string, text: string): EventParam => ({
  type: 'user.tool_result',
  tool_use_id,
  content: [{ type: 'text', text }],
});

async function stop(player: Player) {
  const last = (await player.all('session.status_idle')).at(-1);
  return last?.stop_reason;
}

const wanted = (player: Player) => player.world.wanted.at(-1);

describe('a tool call of a self-hosted session', () => {
  it('is not run here: it waits for a worker, and its result goes on with the turn', async () => {
    const player = await open();
    const [bash = '', read = ''] = await called(player, ['bash'], ['read']);
    expect(await stop(player)).toEqual({ type: 'requires_action', event_ids: [bash, read] });
    await until(() => wanted(player) === true);
    await player.send(result(bash, 'ran there'));
    expect(await stop(player)).toEqual({ type: 'requires_action', event_ids: [read] });
    await player.send(result(read, 'read there'));
    const { input } = await player.model();
    expect(JSON.stringify(input)).toContain('ran there');
    expect(player.world.harness.performed).toEqual([]);
    await until(() => wanted(player) === false);
  });

  it('is asked about first when somebody has to agree, and waits for a worker from then on', async () => {
    const player = await open();
    const [ask = ''] = await called(player, ['write']);
    await quiesce();
    expect(player.world.wanted).toEqual([]);
    await expect(player.send(result(ask, 'too soon'))).rejects.toMatchObject({ code: 'invalid_request' });
    await player.send({ type: 'user.tool_confirmation', tool_use_id: ask, result: 'allow' });
    expect(await stop(player)).toEqual({ type: 'requires_action', event_ids: [ask] });
    await until(() => wanted(player) === true);
    await player.send(result(ask, 'written'));
    (await player.model()).settle([say('done')]);
    await player.rests();
    expect(await stop(player)).toEqual({ type: 'end_turn' });
  });

  it('that is denied is answered by the session, and needs no worker', async () => {
    const player = await open();
    const [ask = ''] = await called(player, ['write']);
    await player.send({ type: 'user.tool_confirmation', tool_use_id: ask, result: 'deny' });
    await player.model();
    expect(await player.all('agent.tool_result')).toMatchObject([{ tool_use_id: ask, is_error: true }]);
    expect(player.world.wanted).toEqual([]);
  });

  it('is answered once, and only by the result of a tool that is the worker’s', async () => {
    const player = await open();
    const [bash = '', ticket = ''] = await called(player, ['bash'], ['ticket']);
    await expect(player.send(result(ticket, 'no'))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('not waiting for this kind of answer'),
    });
    await player.send(result(bash, 'once'));
    await expect(player.send(result(bash, 'twice'))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('events.0.tool_use_id'),
    });
    await expect(player.send(result('sevt_none', 'x'))).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('that is interrupted has a result of the kind that workers look for', async () => {
    const player = await open();
    const calls = await called(player, ['bash'], ['write']);
    await player.send({ type: 'user.interrupt' });
    expect(await stop(player)).toEqual({ type: 'end_turn' });
    const closed = await player.all('user.tool_result');
    expect(closed.map(({ tool_use_id }) => tool_use_id)).toEqual(calls);
    expect(closed.every(({ is_error }) => is_error)).toBe(true);
    await until(() => wanted(player) !== true);
  });

  it('may be given a system message with its result', async () => {
    const player = await open();
    const [bash = ''] = await called(player, ['bash']);
    const told: EventParam = { type: 'system.message', content: [{ type: 'text', text: 'be brief' }] };
    await player.send(result(bash, 'ran'), told);
    expect(JSON.stringify((await player.model()).input)).toContain('be brief');
  });
});

describe('a session of a cloud environment', () => {
  it('takes no results of workers, and asks for none', async () => {
    const player = await Player.open();
    await player.send(message('work'));
    (await player.model()).settle([use('bash')]);
    const tool = await player.tool();
    const [bash] = await player.uses();
    await expect(player.send(result(bash?.id ?? '', 'mine'))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('only for self-hosted environments'),
    });
    tool.settle(outcome('ok'));
    expect(player.world.wanted).toEqual([]);
  });
});

describe('a worker that is lost', () => {
  it('leaves what it may have begun with an unknown outcome, and the turn goes on', async () => {
    const player = await open();
    const [bash = ''] = await called(player, ['bash']);
    expect(await player.runtime.workerLost(player.world.now)).toBe(false);
    const { input } = await player.model();
    expect(JSON.stringify(input)).toContain('Outcome unknown');
    await expect(player.send(result(bash, 'late'))).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await player.runtime.workerLost(player.world.now), 'told again').toBe(false);
  });

  it('leaves what changes nothing, and what it cannot have seen, to the next one', async () => {
    const player = await open();
    const [bash = '', read = ''] = await called(player, ['bash'], ['read']);
    expect(await player.runtime.workerLost(player.world.now - 1), 'before they were made').toBe(true);
    expect(await stop(player)).toEqual({ type: 'requires_action', event_ids: [bash, read] });
    expect(await player.runtime.workerLost(player.world.now)).toBe(true);
    expect(await stop(player)).toEqual({ type: 'requires_action', event_ids: [read] });
    await player.send(result(read, 'read'));
    await player.model();
  });

  it('had nothing that its user’s application answers', async () => {
    const player = await open();
    const [ticket = ''] = await called(player, ['ticket']);
    await until(() => wanted(player) === true);
    expect(await player.runtime.workerLost(player.world.now)).toBe(true);
    expect(await stop(player)).toEqual({ type: 'requires_action', event_ids: [ticket] });
  });
});

describe('that a worker is needed', () => {
  it('is told to the queue after any death, and as long as it takes', async () => {
    const player = await open();
    player.world.indexFails = true;
    await called(player, ['bash']);
    await player.restart();
    expect(player.world.wanted).toEqual([]);
    player.world.indexFails = false;
    for (; wanted(player) === undefined; await quiesce()) await player.world.ring(player.runtime);
    await player.restart();
    await quiesce();
    expect(player.world.wanted, 'told once').toEqual([true]);
  });

  it('is over with the session', async () => {
    const player = await open();
    await called(player, ['bash']);
    await until(() => wanted(player) === true);
    await player.runtime.archive();
    await until(() => wanted(player) === false);
  });
});
