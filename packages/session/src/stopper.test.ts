// What a call that was cut short still does is stopped, whoever dies before it is.
import { describe, expect, it } from 'vitest';
import { outcome, say, use } from './scripted-harness.ts';
import { Player } from './testing/player.ts';
import { quiesce, until } from './testing.ts';

const { message } = Player;
const interrupt = { type: 'user.interrupt' as const };

/** A command that runs; its effect id. */
async function running(player: Player): Promise<string> {
  await player.send(message('run it'));
  (await player.model()).settle([use('bash')]);
  return (await player.tool()).input.effectId;
}

describe('a call that was interrupted', () => {
  it('is stopped by the next process when this one dies before it could', async () => {
    const player = await Player.open();
    const effect = await running(player);
    const { harness } = player.world;
    harness.cancel = () => new Promise(() => {});
    await player.send(interrupt);
    await player.rests();
    Reflect.deleteProperty(harness, 'cancel');
    await player.restart();
    await until(() => harness.cancelled.length > 0);
    expect(harness.cancelled).toEqual([effect]);
  });

  it('is stopped when the alarm rings, if nobody could stop it before', async () => {
    const player = await Player.open();
    const effect = await running(player);
    player.world.harness.cancelFails = true;
    await player.send(interrupt);
    await quiesce();
    expect(player.runtime.view.status).toBe('idle');
    expect(player.world.alarmAt).not.toBeNull();
    player.world.harness.cancelFails = false;
    await player.world.ring(player.runtime);
    await until(() => player.world.harness.cancelled.length > 0);
    expect(player.world.harness.cancelled).toEqual([effect]);
    await until(() => player.world.alarmAt === null);
  });

  it('is stopped once: a later process knows that it is done', async () => {
    const player = await Player.open();
    await running(player);
    await player.send(interrupt);
    await until(() => player.world.alarmAt === null);
    await player.restart();
    await quiesce();
    expect(player.world.harness.cancelled).toHaveLength(1);
  });

  it('among several: each is stopped, and none that had its result', async () => {
    const player = await Player.open();
    await player.send(message('run them'));
    (await player.model()).settle([use('bash'), use('read'), use('glob')]);
    await until(() => player.world.harness.waitingTools.length === 3);
    const [done, ...cut] = player.world.harness.waitingTools.map((call) => call.input.effectId);
    (await player.tool()).settle(outcome('ok'));
    await until(async () => (await player.count('agent.tool_result')) === 1);
    await player.send(interrupt);
    await until(() => player.world.harness.cancelled.length === 2);
    expect(player.world.harness.cancelled).toEqual(cut);
    expect(player.world.harness.cancelled).not.toContain(done);
  });

  it('whose later twin is cut short, too: both are stopped, the first not again', async () => {
    const player = await Player.open();
    const first = await running(player);
    await player.send(interrupt);
    await until(() => player.world.harness.cancelled.length === 1);
    const second = await running(player);
    await player.send(interrupt);
    await until(() => player.world.harness.cancelled.length === 2);
    expect(player.world.harness.cancelled).toEqual([first, second]);
  });

  it('is stopped before the session rests for good: an archive does not forget it', async () => {
    const player = await Player.open();
    const effect = await running(player);
    player.world.harness.cancelFails = true;
    await player.send(interrupt);
    await player.runtime.archive();
    await quiesce();
    player.world.harness.cancelFails = false;
    await player.restart();
    await until(() => player.world.harness.cancelled.length > 0);
    expect(player.world.harness.cancelled).toEqual([effect]);
  });
});

it('a call of a person that was waited for is stopped by nobody: it never ran', async () => {
  const player = await Player.open();
  await player.send(message('ask'));
  (await player.model()).settle([use('write'), use('ticket')]);
  await player.rests();
  await player.send(interrupt);
  await quiesce();
  expect(player.world.harness.cancelled).toEqual([]);
  await player.send(message('go on'));
  (await player.model()).settle([say('ok')]);
  await player.rests();
});
