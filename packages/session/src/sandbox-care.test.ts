// The sandbox of a session as the session sees it: when it is looked after, and what is told of what became of it.
import type { SandboxBoot, SandboxReplacement } from '@capstan/schema/events/sandbox-events';
import { describe, expect, it } from 'vitest';
import { prewarm } from './outside-calls.ts';
import { Recording } from './replay/recording.ts';
import { replay } from './replay/replay.ts';
import { CARE_MS, outcome, say, use } from './scripted-harness.ts';
import { memorySql } from './testing/memory-sql.ts';
import { Player } from './testing/player.ts';
import { quiesce, until } from './testing.ts';

const { message } = Player;

const LOST: SandboxReplacement = {
  restored: { snapshot_taken_at: '2026-01-01T00:00:00.000Z' },
  lost: { files: 'since_snapshot', processes: true },
};

const BOOT: SandboxBoot = {
  sandbox: 'created',
  started_at: '2026-01-01T00:00:00.000Z',
  duration_ms: 1_200,
  phases: [{ name: 'clone', started_after_ms: 0, duration_ms: 1_200, repository_url: 'https://a.example' }],
};

async function inUse(): Promise<Player> {
  const player = await Player.open();
  player.world.harness.held = true;
  return player;
}

/** A turn with one tool call, at rest. */
async function worked(player: Player): Promise<Player> {
  await player.send(message('do it'));
  (await player.model()).settle([use('bash')]);
  (await player.tool()).settle(outcome('ok'));
  (await player.model()).settle([say('done')]);
  await player.rests();
  return player;
}

const told = async ({ world }: Player) =>
  (await world.events()).filter((event) => event.type === 'session.sandbox_replaced');

const results = async ({ world }: Player) =>
  (await world.events()).flatMap((event) =>
    event.type === 'agent.tool_result' ? [event.content?.map((block) => 'text' in block && block.text)] : [],
  );

describe('a sandbox in which something was done', () => {
  it('is looked after once its session has rested for a while, and then nothing is due', async () => {
    const { world, runtime } = await worked(await inUse());
    const restedAt = runtime.view.updatedAt;
    while (world.alarmAt !== null && world.harness.cared === 0) {
      expect(world.alarmAt).toBeLessThanOrEqual(restedAt + CARE_MS);
      await world.ring(runtime);
      await quiesce();
    }
    expect(world.now).toBe(restedAt + CARE_MS);
    expect(world.harness.cared).toBe(1);
    expect(world.alarmAt).toBeNull();
  });

  it('is looked after by the next process, whenever this one dies', async () => {
    const player = await worked(await inUse());
    player.world.now += CARE_MS;
    await player.restart();
    await until(() => player.world.harness.cared === 1);
    await until(() => player.world.alarmAt === null);
  });

  it('is not looked after while the session works, nor is a message kept waiting for it', async () => {
    const player = await worked(await inUse());
    const { harness } = player.world;
    let done = () => {};
    harness.care = () => new Promise((resolve) => (done = resolve));
    player.world.now += CARE_MS;
    await player.runtime.wake();
    await player.send(message('more'));
    (await player.model()).settle([say('at once')]);
    await player.rests();
    Reflect.deleteProperty(harness, 'care');
    done();
    await player.send(message('work'));
    player.world.now += 10 * CARE_MS;
    await player.runtime.wake();
    await quiesce();
    expect(harness.cared).toBe(0);
  });

  it('is looked after again, later each time, when that fails', async () => {
    const { world, runtime } = await worked(await inUse());
    const tries: number[] = [];
    world.harness.care = async () => {
      tries.push(world.now - runtime.view.updatedAt);
      throw new Error('the sandboxes are away');
    };
    while (tries.length < 5) {
      await world.ring(runtime);
      await quiesce();
    }
    expect(tries.map((at) => at - CARE_MS)).toEqual([0, 2_625, 7_875, 18_375, 39_375]);
    Reflect.deleteProperty(world.harness, 'care');
    while (world.alarmAt !== null) {
      await world.ring(runtime);
      await quiesce();
    }
    expect(world.harness.cared).toBe(1);
  });

  it('is given back instead, when the session is over', async () => {
    const { world, runtime } = await worked(await inUse());
    await runtime.archive();
    await until(() => world.alarmAt === null);
    expect([world.harness.held, world.harness.cared]).toEqual([false, 0]);
    expect(() => runtime.outside(prewarm)).toThrow(expect.objectContaining({ code: 'conflict' }));
  });
});

describe('a sandbox that was replaced', () => {
  it('is told on the log at once, and to the agent with the result of its next call, once', async () => {
    const player = await inUse();
    await player.send(message('do it'));
    (await player.model()).settle([use('bash')]);
    const call = await player.tool();
    player.world.harness.replace('sevt_news', LOST);
    await until(async () => (await told(player)).length === 1);
    call.settle(outcome('ok'));
    (await player.model()).settle([use('bash')]);
    (await player.tool()).settle(outcome('again'));
    (await player.model()).settle([say('done')]);
    await player.rests();
    expect(await told(player)).toEqual([
      expect.objectContaining({ id: 'sevt_news', type: 'session.sandbox_replaced', ...LOST }),
    ]);
    const note = expect.stringMatching(/^Note: .* from its snapshot of 2026-01-01T00:00:00.000Z\. Changes/);
    expect(await results(player)).toEqual([[note, 'ok'], ['again']]);
    expect(player.world.harness.untold).toEqual([]);
  });

  it('is told once, also when the process dies before it could remember that it is told', async () => {
    const player = await inUse();
    await player.send(message('do it'));
    (await player.model()).settle([use('bash')]);
    await player.tool();
    player.world.harness.told = () => {};
    player.world.harness.replace('sevt_news', LOST);
    await until(async () => (await told(player)).length === 1);
    Reflect.deleteProperty(player.world.harness, 'told');
    await player.restart();
    await quiesce();
    expect(await told(player)).toHaveLength(1);
    expect(player.world.harness.untold).toEqual([]);
  });

  it('while the session rests is told when it works again: it would seem to go on by itself', async () => {
    const player = await worked(await inUse());
    player.world.harness.replace('sevt_news', LOST);
    await quiesce();
    expect(await told(player)).toEqual([]);
    await player.send(message('go on'));
    const types = await player.world.types();
    expect(types.indexOf('session.sandbox_replaced')).toBeGreaterThan(
      types.lastIndexOf('session.status_running'),
    );
  });

  it('is not told to an agent that misses nothing', async () => {
    const player = await inUse();
    await player.send(message('do it'));
    (await player.model()).settle([use('bash')]);
    const call = await player.tool();
    player.world.harness.replace('sevt_news', { ...LOST, lost: { files: 'none', processes: false } });
    await until(async () => (await told(player)).length === 1);
    call.settle(outcome('ok'));
    await player.model();
    expect(await results(player)).toEqual([['ok']]);
  });

  it('is in a replay where it was, with what else was told', async () => {
    const player = await inUse();
    await player.send(message('do it'));
    (await player.model()).settle([use('bash')]);
    const call = await player.tool();
    const { harness } = player.world;
    harness.replace('sevt_news', LOST);
    harness.untold = [
      ...harness.untold,
      { id: 'sevt_o', kind: 'booted', boot: BOOT },
      {
        id: 'sevt_p',
        kind: 'repository_failed',
        type: 'repository_clone_error',
        url: 'https://a.example',
        message: 'no',
      },
    ];
    harness.notify();
    await until(async () => (await player.world.types()).includes('session.error'));
    call.settle(outcome('ok'));
    (await player.model()).settle([say('done')]);
    await player.rests();
    const text = await new Response(player.runtime.exportLog()).text();
    const pause = () => new Promise<void>(setImmediate);
    const host = { sql: memorySql(), pause, now: () => performance.now(), patienceMs: 30_000 };
    expect((await replay(Recording.read(text), host)).difference).toBeNull();
  });
});

it('an image that cannot be built is an error on the log, and the turn goes on', async () => {
  const player = await inUse();
  await player.send(message('do it'));
  (await player.model()).settle([use('bash')]);
  const call = await player.tool();
  const { harness } = player.world;
  harness.untold = [{ id: 'sevt_news', kind: 'image_failed', message: 'no such package' }];
  harness.notify();
  await until(async () => (await player.world.types()).includes('session.error'));
  call.settle({ ...outcome('There is no sandbox'), isError: true });
  (await player.model()).settle([say('it cannot be done')]);
  await player.rests();
  const errors = (await player.world.events()).filter((event) => event.type === 'session.error');
  const error = {
    type: 'environment_image_error',
    message: 'no such package',
    retry_status: { type: 'retrying' },
  };
  expect(errors).toEqual([expect.objectContaining({ id: 'sevt_news', error })]);
});

describe('the snapshot that a fork begins with', () => {
  async function photographed(): Promise<Player> {
    const player = await worked(await inUse());
    player.world.now += CARE_MS;
    await player.runtime.wake();
    await until(() => player.world.harness.cared === 1);
    return player;
  }

  it('is the newest one, of a fork at any event after the last call that it may have', async () => {
    const player = await photographed();
    const events = await player.world.events();
    const result = events.findIndex((event) => event.type === 'agent.tool_result');
    const lent = await Promise.all(
      events
        .filter((event) => event.processed_at !== null)
        .map(async ({ id }) => [id, await player.runtime.lendSnapshot(id)] as const),
    );
    const after = new Set(events.slice(result).map(({ id }) => id));
    for (const [id, snapshot] of lent) expect(snapshot !== null, id).toBe(after.has(id));
    expect(await player.runtime.lendSnapshot('sevt_nobody')).toBeNull();
  });

  it('is none where there was never one', async () => {
    const player = await worked(await inUse());
    const last = (await player.world.events()).at(-1)?.id ?? '';
    expect(await player.runtime.lendSnapshot(last)).toBeNull();
  });
});
