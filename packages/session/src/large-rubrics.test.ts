import type { EventParam } from '@capstan/schema/events/user-events';
import { describe, expect, it } from 'vitest';
import { say } from './scripted-harness.ts';
import { wordsOf } from './testing/crew.ts';
import { Stage } from './testing/stage.ts';
import { until } from './testing.ts';

/** The grader's next model call. */
async function grader({ world }: Stage) {
  const find = () =>
    world.harness.waitingModels.find(({ call }) => call.tools.some(({ name }) => name === 'grade_outcome'));
  await until(() => find() !== undefined);
  return find();
}

describe('a rubric too large for a row of the log', () => {
  const content = `${'it rhymes. '.repeat(23_820)}and it ends well`;
  const large: EventParam = {
    type: 'user.define_outcome',
    description: 'a poem in poem.txt',
    rubric: { type: 'text', content },
  };

  it('is given to the grader whole, also by another process', async () => {
    const stage = await Stage.open();
    await stage.send(large);
    await stage.replies([say('a poem')]);
    await grader(stage);
    await stage.recover();
    const words = wordsOf((await grader(stage))?.input ?? []);
    expect(words).toContain(content);
    expect(words).toContain('a poem in poem.txt');
  });

  it('that is gone fails the outcome, and asks no grader', async () => {
    const stage = await Stage.open();
    await stage.send(large);
    const call = await stage.model();
    await stage.world.blobs.removeAll();
    call.settle([say('a poem')]);
    await stage.rests();
    expect(stage.runtime.view.outcomeEvaluations.at(-1)).toMatchObject({
      result: 'failed',
      explanation: 'The rubric can no longer be read.',
    });
    expect(stage.world.harness.models).toHaveLength(1);
  });
});
