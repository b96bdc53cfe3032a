// A message that alone is more than its model can read: it is refused by name, and only it.
import { describe, expect, it } from 'vitest';
import { outcome, say, use } from './scripted-harness.ts';
import { Crew, message, PRIMARY, wordsOf } from './testing/crew.ts';
import { limit, Stage } from './testing/stage.ts';
import { until } from './testing.ts';

const LONG = `the long one: ${'x '.repeat(20_000)}`;

async function small(budget: Parameters<typeof limit>[0] | null = null): Promise<Stage> {
  const stage = await Stage.open(budget && limit(budget));
  stage.world.harness.choice = { contextWindow: 4_000, maxOutputTokens: 1_000 };
  return stage;
}

/** The next message is answered; what it has to make room for is compacted. */
async function goesOn(stage: Stage): Promise<void> {
  await stage.send(message('the next one'));
  const compaction = await stage.model();
  expect(compaction.call.builtIn).toBe(false);
  compaction.settle([say('notes')]);
  await until(() => stage.world.harness.waitingModels.some(({ call }) => call.builtIn));
  const reply = await stage.model();
  expect(wordsOf(reply.input)).toMatch(/notes.*the next one/s);
  reply.settle([say('here I am')]);
  await stage.rests();
  expect((await stage.stops()).at(-1)).toBe('end_turn');
}

const refused = {
  error: {
    type: 'model_request_failed_error',
    message: expect.stringMatching(
      /^The message is longer than the model can read: about 11\d{3} tokens, .* reads 4000/,
    ),
    retry_status: { type: 'exhausted' },
  },
};

describe('a message longer than the window of its model', () => {
  it('ends in an error that says so, asks no model, and stays on the log', async () => {
    const stage = await small();
    await stage.send(message(LONG));
    await stage.rests();
    expect(await stage.of('session.error')).toMatchObject([refused]);
    expect(await stage.stops()).toEqual(['retries_exhausted']);
    expect(stage.world.harness.models).toEqual([]);
    expect((await stage.world.state()).spent.modelCalls).toBe(0);
    expect(await stage.of('user.message')).toMatchObject([{ content: [{ text: LONG }] }]);
    await goesOn(stage);
  });

  it.each([
    ['without a budget', null],
    ['with one', { max_tokens: 1_000_000 }],
  ])('that was queued does so when its turn comes, %s', async (_, budget) => {
    const stage = await small(budget);
    await stage.send(message('the first one'));
    const call = await stage.model();
    await stage.send(message(LONG));
    call.settle([say('an answer')]);
    await stage.rests();
    expect(await stage.of('session.error')).toMatchObject([refused]);
    expect(await stage.of('agent.thread_context_compacted')).toEqual([]);
    await goesOn(stage);
  });

  it('ends only the turn it came into: results before it are not lost', async () => {
    const stage = await small();
    await stage.send(message('the first one'));
    (await stage.model()).settle([use('bash')]);
    const tool = await stage.tool();
    await stage.send(message(LONG));
    tool.settle(outcome('done'));
    await stage.rests();
    expect(await stage.of('session.error')).toMatchObject([refused]);
    expect(await stage.of('agent.tool_result')).toHaveLength(1);
    await goesOn(stage);
  });

  it('is for its thread alone: others work on', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(PRIMARY, 'it is at it');
    const looking = await crew.model(scout);
    crew.world.harness.choice = { contextWindow: 4_000, maxOutputTokens: 1_000 };
    await crew.send(message(LONG));
    await until(() => crew.status(PRIMARY) === 'idle');
    expect(crew.status(scout)).toBe('running');
    looking.settle([say('seen')]);
  });
});
