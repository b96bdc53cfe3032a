import { getEventListeners } from 'node:events';
import type { Logger } from '@capstan/shared/logger';
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { ModelContext } from './context.ts';
import { foldOf } from './fold.ts';
import { Hub } from './hub.ts';
import { inputHash } from './input-hash.ts';
import { readable } from './log-reader.ts';
import { outcome, use } from './scripted-harness.ts';
import type { OpenCall } from './state.ts';
import { hello, Stage } from './testing/stage.ts';
import { ManualPulse, quiesce, until, World } from './testing.ts';
import { performCalls } from './tool-step.ts';
import { type Desk, Turn } from './turn.ts';

function deskOf(world: World, logger: Logger): Desk {
  const reader = readable(world.log, { blobs: world.blobs, logger });
  return {
    spec: world.spec,
    log: world.log,
    harness: world.harness,
    hub: new Hub(reader, new ManualPulse(), 0),
    context: () => new ModelContext({ log: reader, thread: null, from: 0 }),
    inputOf: async ({ input }) => input,
    rubricOf: async () => null,
    logger,
    state: () => foldOf(world.spec).initial,
    submit: async () => [],
    newEventId: () => 'sevt_1',
    random: () => 0,
  };
}

const calls = (count: number): OpenCall[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `sevt_${index}`,
    name: 'bash',
    input: {},
    waitsFor: 'nobody',
    begun: false,
  }));

describe('a call whose input is too large for a row of the log', () => {
  const command = 'true '.repeat(60_000);

  /** What a call of it comes to. */
  const performed = async (stage: Stage) => {
    await stage.send(hello);
    const call = await stage.model();
    call.settle([use('bash', { command })]);
    await until(
      async () => stage.world.harness.waitingTools.length > 0 || stage.world.harness.models.length > 1,
    );
  };

  it('is performed with all of it', async () => {
    const stage = await Stage.open();
    await performed(stage);
    expect((await stage.tool()).input.input).toEqual({ command });
  });

  it('that is gone is not performed, and the model is told', async () => {
    const stage = await Stage.open();
    stage.world.blobs.get = async () => null;
    await performed(stage);
    expect(stage.world.harness.performed).toEqual([]);
    const [, , result] = (await stage.model()).input;
    expect(result).toMatchObject({
      type: 'tool_result',
      isError: true,
      content: [{ text: expect.stringMatching(/^Not run: the input of this call is no longer stored/) }],
    });
  });

  it('that is gone after its process died has an unknown outcome', async () => {
    const stage = await Stage.open();
    await performed(stage);
    stage.world.blobs.get = async () => null;
    await stage.recover();
    const [, , result] = (await stage.model()).input;
    expect(result).toMatchObject({ content: [{ text: expect.stringMatching(/^Outcome unknown/) }] });
    expect(stage.world.harness.recovered).toEqual([]);
  });
});

describe('the calls of a step', () => {
  it('leave nothing on the signal of a turn that goes on', async () => {
    const world = new World();
    const turn = new Turn('turn', world.spec.threadId);
    const performing = performCalls(turn, deskOf(world, silentLogger), calls(20));
    await until(() => world.harness.tools.length === 20);
    for (const tool of world.harness.tools) tool.settle(outcome('ok'));
    await performing;
    await quiesce();
    expect(getEventListeners(turn.signal, 'abort')).toEqual([]);
  });

  it('that are stopped are no failures of the platform', async () => {
    const world = new World();
    const turn = new Turn('turn', world.spec.threadId);
    const errors: string[] = [];
    const logger: Logger = { ...silentLogger, error: (event) => errors.push(event) };
    const performing = performCalls(turn, deskOf(world, logger), calls(1));
    await until(() => world.harness.tools.length === 1);
    turn.stop('stopped');
    for (const tool of world.harness.tools) tool.fail(turn.signal.reason);
    await performing;
    await quiesce();
    expect(errors).toEqual([]);
  });
});

it('a call that is stopped before it is begun is not begun any more', async () => {
  const world = new World();
  const turn = new Turn('sevt_turn', world.spec.threadId);
  const [call] = calls(1);
  const hash = await inputHash({});
  const performed = performCalls(turn, deskOf(world, silentLogger), [{ ...call, hash } as OpenCall]);
  turn.stop('stopped');
  await performed;
  await quiesce();
  expect(world.harness.performed).toEqual([]);
});
