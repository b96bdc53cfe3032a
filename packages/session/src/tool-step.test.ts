import { getEventListeners } from 'node:events';
import type { Logger } from '@capstan/shared/logger';
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { ModelContext } from './context.ts';
import { Hub } from './hub.ts';
import { outcome } from './scripted-harness.ts';
import { INITIAL, type OpenCall } from './state.ts';
import { ManualPulse, quiesce, World } from './testing.ts';
import { performCalls } from './tool-step.ts';
import { type Desk, Turn } from './turn.ts';

function deskOf(world: World, logger: Logger): Desk {
  return {
    spec: world.spec,
    harness: world.harness,
    hub: new Hub(world.log, new ManualPulse(), 0),
    context: new ModelContext(world.log),
    logger,
    state: () => INITIAL,
    submit: async () => {},
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

describe('the calls of a step', () => {
  it('leave nothing on the signal of a turn that goes on', async () => {
    const world = new World();
    const turn = new Turn('turn');
    const performing = performCalls(turn, deskOf(world, silentLogger), calls(20));
    for (const tool of world.harness.tools) tool.settle(outcome('ok'));
    await performing;
    await quiesce();
    expect(getEventListeners(turn.signal, 'abort')).toEqual([]);
  });

  it('that are stopped are no failures of the platform', async () => {
    const world = new World();
    const turn = new Turn('turn');
    const errors: string[] = [];
    const logger: Logger = { ...silentLogger, error: (event) => errors.push(event) };
    const performing = performCalls(turn, deskOf(world, logger), calls(1));
    turn.stop('stopped');
    for (const tool of world.harness.tools) tool.fail(turn.signal.reason);
    await performing;
    await quiesce();
    expect(errors).toEqual([]);
  });
});
