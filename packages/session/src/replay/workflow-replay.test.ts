// Sessions with workflow runs, played again: what a run did comes out of what models and clients said, row by row.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelFailure } from '../harness.ts';
import { outcome, use } from '../scripted-harness.ts';
import { message, PRIMARY } from '../testing/crew.ts';
import { FlowPlay, finish, sketch, step } from '../testing/flow-play.ts';
import { Flows, planOf } from '../testing/flows.ts';
import { memorySql } from '../testing/memory-sql.ts';
import { quiesce, until } from '../testing.ts';
import { Recording } from './recording.ts';
import { replay } from './replay.ts';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 25);
const TIMEOUT = 60_000 + RUNS * 1_000;

async function expectSame(flows: Flows): Promise<void> {
  const text = await new Response(flows.runtime.exportLog()).text();
  const result = await replay(Recording.read(text), {
    sql: memorySql(),
    pause: () => new Promise<void>(setImmediate),
    now: () => performance.now(),
    patienceMs: 30_000,
  });
  expect(result.difference).toBeNull();
  expect(result.same).toBe(text.trim().split('\n').length - 1);
}

const PLAN = planOf(
  [
    { id: 'a', message: 'One.' },
    { id: 'b', agent: 'scribe', message: 'Two.' },
    { id: 'c', message: 'Three.', new_agent: { name: 'Poet', system: 'Rhyme.' } },
  ],
  [{ id: 'd', for_each_of: 'a', message: '{{item}} of {{steps.b}}' }],
);

async function begun() {
  const flows = await Flows.begin();
  const run = await flows.starts(PLAN);
  const [a = '', b = '', c = ''] = flows.children();
  return { flows, run, a, b, c };
}

describe('a replay comes out the same', () => {
  it('of a run from its plan to its report, over approvals, failures and a death', async () => {
    const { flows, a, b, c } = await begun();
    await flows.says(a, '["x", "y"]');
    const call = await flows.uses(b, 'write', { path: 'p' });
    (await flows.model(c)).fail(new ModelFailure('unknown_error', 'broken', { retryable: false }));
    await flows.rests();
    await flows.send({ type: 'user.tool_confirmation', tool_use_id: call, result: 'allow' });
    (await flows.tool(call)).settle(outcome('written'));
    await flows.says(b, 'paper');
    await until(() => flows.children().length === 5);
    const [, , , x = '', y = ''] = flows.children();
    await flows.model(x);
    await flows.restart();
    while (!flows.asks(x) || !flows.asks(y)) {
      await flows.world.ring(flows.runtime);
      await quiesce();
    }
    await flows.says(y, 'done y');
    await flows.says(x, 'done x');
    await flows.says(PRIMARY, 'all of it');
    await flows.rests();
    await expectSame(flows);
  });

  it('of runs that are refused, asked for and stopped', async () => {
    const { flows, run, a } = await begun();
    await flows.says(a, 'no list');
    await flows.send(message('well?'));
    (await flows.model(PRIMARY)).settle([use('check_workflow'), use('start_workflow', { phases: [] })]);
    (await flows.model(PRIMARY)).settle([use('stop_workflow', { workflow_run_id: run })]);
    await flows.says(PRIMARY, 'stopped');
    await flows.rests();
    await expectSame(flows);
  });

  it('of a run that is interrupted, and of one that comes to its time', async () => {
    const { flows, a } = await begun();
    await flows.send({ type: 'user.interrupt', session_thread_id: a });
    await flows.send({ type: 'user.interrupt' });
    await flows.send(message('again'));
    (await flows.model(PRIMARY)).settle([use('start_workflow', planOf([{ id: 'w', message: 'Write.' }]))]);
    await flows.says(PRIMARY, 'once more');
    await flows.uses(flows.children().at(-1) ?? '', 'write', { path: 'p' });
    await flows.rests();
    while ((await flows.told('workflow_run.error')).length === 0) {
      await flows.world.ring(flows.runtime);
      await quiesce();
    }
    await flows.says(PRIMARY, 'too late');
    await flows.rests();
    await flows.runtime.archive();
    await expectSame(flows);
  });

  it(
    'of random plans under random schedules, with deaths',
    async () => {
      await fc.assert(
        fc.asyncProperty(sketch, fc.array(step, { maxLength: 30 }), async (first, steps) => {
          const play = new FlowPlay(await Flows.begin());
          await play.take({ do: 'start', sketch: first });
          for (const next of steps) {
            // An append that failed is on no log.
            if (next.do !== 'storage') await play.take(next);
            await quiesce();
          }
          await finish(play);
          await expectSame(play.flows);
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT,
  );
});
