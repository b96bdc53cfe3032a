// What a model call costs that never answers: it counts, and is billed by an estimate, so that no budget is passed by calls
// that are cut off again and again.
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { describe, expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import { PRICE, say } from './scripted-harness.ts';
import { Crew, PRIMARY } from './testing/crew.ts';
import { cents, hello, interrupt, limit, Stage } from './testing/stage.ts';
import { until, World } from './testing.ts';

/** A call that is interrupted after so long. */
async function interrupted(stage: Stage, afterMs = 0): Promise<void> {
  await stage.send(hello);
  await stage.model();
  stage.world.now += afterMs;
  await stage.send(interrupt);
  await stage.rests();
}

const linesOf = ({ world }: { world: Stage['world'] }) => [...world.ledger.values()];

describe('a session whose calls are cut off again and again', () => {
  it('comes to its limit of calls by interrupts', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 3 }));
    for (let call = 0; call < 3; call++) await interrupted(stage);
    await expect(stage.send(hello)).rejects.toThrow(/budget is reached/);
    expect(stage.world.harness.models).toHaveLength(3);
  });

  it('comes to its limit of calls by deaths of its process', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 3 }));
    await stage.send(hello);
    while (stage.status === 'running') {
      await stage.model();
      await stage.recover();
      await until(() => stage.status !== 'running' || stage.world.harness.waitingModels.length > 0);
    }
    expect(await stage.stops()).toEqual(['budget_reached']);
    expect(stage.world.harness.models).toHaveLength(3);
  });

  it.each([
    ['tokens', limit({ max_tokens: 20_000 }), { tokens: 20_000, nanoUsd: 1e9 }],
    ['money', limit(cents(5)), { tokens: 1e6, nanoUsd: 50_000_000 }],
  ])('comes to its limit of %s', async (_, budget, most) => {
    const stage = await Stage.open(budget);
    const asked = async () => {
      const sent = await stage.send(hello).then(
        () => true,
        () => false,
      );
      await until(() => stage.status === 'idle' || stage.world.harness.waitingModels.length > 0);
      return sent && stage.status !== 'idle';
    };
    while (await asked()) {
      stage.world.now += 10_000;
      await stage.send(interrupt);
      await stage.rests();
    }
    await expect(stage.send(hello)).rejects.toThrow(/budget is reached/);
    const { tokens, nanoUsd } = (await stage.world.state()).spent;
    expect(stage.world.harness.models.length).toBeGreaterThan(1);
    expect(stage.world.harness.models.length).toBeLessThan(12);
    expect(tokens).toBeLessThanOrEqual(most.tokens);
    expect(nanoUsd).toBeLessThanOrEqual(most.nanoUsd);
  });
});

describe('the bill of a call that never answered', () => {
  it('is its prompt, and what a model may have written by then, and says that nobody told', async () => {
    const stage = await Stage.open();
    await interrupted(stage, 3_000);
    await until(() => stage.world.ledger.size === 1);
    const [line] = linesOf(stage);
    const input_tokens = line?.usage.input_tokens ?? 0;
    expect(input_tokens).toBeGreaterThan(1_500);
    expect(line).toMatchObject({
      kind: 'model',
      estimated: true,
      usage: { ...ZERO_MODEL_USAGE, input_tokens, output_tokens: 300 },
      nanoUsd: input_tokens * PRICE.input + 300 * PRICE.output,
    });
    expect(stage.runtime.view.usage).toMatchObject({ input_tokens, output_tokens: 300 });
    // What the model said it took: nothing.
    expect(await stage.of('span.model_request_end')).toMatchObject([{ model_usage: ZERO_MODEL_USAGE }]);
  });

  it('is never above what was set aside for it', async () => {
    const stage = await Stage.open(limit({ max_tokens: 5_000 }));
    await interrupted(stage, 3_600_000);
    expect((await stage.world.state()).spent.tokens).toBe(5_000);
  });

  it('is what the provider told, where it did: nothing for a call that it refused', async () => {
    const stage = await Stage.open(limit({ max_model_calls: 2 }));
    await stage.send(hello);
    const refused = { retryable: true, usage: ZERO_MODEL_USAGE };
    (await stage.model()).fail(new ModelFailure('model_overloaded_error', 'busy', refused));
    await until(() => stage.status === 'rescheduling');
    await stage.world.ring(stage.runtime);
    await stage.replies([say('hi')]);
    await stage.rests();
    await until(() => stage.world.ledger.size === 2);
    expect(linesOf(stage).map(({ usage, estimated }) => [usage.input_tokens, estimated])).toEqual([
      [0, undefined],
      [10, undefined],
    ]);
  });

  it('is sent to the thread that called, each time', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.model(PRIMARY);
    await crew.model(scout);
    await crew.send(interrupt);
    await crew.rests();
    await until(() => crew.world.ledger.size === 3);
    const guessed = linesOf(crew).filter(({ estimated }) => estimated);
    expect(guessed.map(({ threadId }) => threadId).sort()).toEqual([PRIMARY, scout].sort());
  });

  it('is the other session’s, where the call was copied by a fork', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    const call = await stage.model();
    const last = (await stage.lastId()) ?? '';
    const world = new World();
    world.ids = 1_000;
    world.others.set('sesn_source', stage.runtime);
    world.spec = {
      ...world.spec,
      sessionId: 'sesn_fork',
      origin: { sessionId: 'sesn_source', eventId: last },
    };
    await world.open();
    expect((await world.state()).spent.modelCalls).toBe(0);
    call.settle([say('hi')]);
    await stage.rests();
  });
});
