// What becomes of failures and of processes that die: sorted once, tried again for as long as that brings anything.
import { describe, expect, it } from 'vitest';
import { evolveAll } from './evolve.ts';
import { foldOf } from './fold.ts';
import { ModelFailure } from './harness.ts';
import { decide } from './machine.ts';
import { outcome, say, use } from './scripted-harness.ts';
import { hello, Stage } from './testing/stage.ts';
import { quiesce, until, World } from './testing.ts';

const busy = () => new ModelFailure('model_overloaded_error', 'busy', { retryable: true });
const errors = async (stage: Stage) => (await stage.of('session.error')).map(({ error }) => error);

/** The model fails so, and the turn is taken up again when it is time. */
async function retried(stage: Stage, error: unknown): Promise<void> {
  (await stage.model()).fail(error);
  await until(() => stage.status === 'rescheduling');
  while (stage.status === 'rescheduling') await stage.world.ring(stage.runtime);
}

describe('a failure of the model', () => {
  const broke = new ModelFailure('billing_error', 'no credit', { retryable: false });
  const unknown = 'The model call failed inside the platform; the cause is in the server log.';

  it.each([
    ['that may pass', { error: busy(), is: ['model_overloaded_error', 'busy', 'retrying'] }],
    ['that no retry can cure', { error: broke, is: ['billing_error', 'no credit', 'exhausted'] }],
    ['of a kind nobody knows', { error: new Error('/etc/x'), is: ['unknown_error', unknown, 'retrying'] }],
  ])('%s is told with type, message and what happens next', async (_, { error, is }) => {
    const stage = await Stage.open();
    await stage.send(hello);
    (await stage.model()).fail(error);
    await until(() => stage.status !== 'running');
    const [told] = await errors(stage);
    expect([told?.type, told?.message, told?.retry_status.type]).toEqual(is);
    expect((await stage.of('span.model_request_end'))[0]).toMatchObject({ is_error: true });
    expect(stage.status).toBe(is.at(-1) === 'retrying' ? 'rescheduling' : 'idle');
  });

  it('is followed by the order of the API', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    const [start] = await stage.of('span.model_request_start');
    await retried(stage, busy());
    expect(await stage.typesAfter(start?.id)).toEqual([
      'span.model_request_end',
      'session.error',
      'session.thread_status_rescheduled',
      'session.status_rescheduled',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
    ]);
  });

  it('after progress is the first again', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    for (let round = 0; round < 3; round++) {
      for (let failure = 0; failure < 4; failure++) await retried(stage, busy());
      await stage.replies([use('bash')]);
      (await stage.tool()).settle(outcome('ok'));
    }
    await stage.replies([say('done')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['end_turn']);
  });

  it('waits longer each time, never exactly as long as others do, and never over a minute', () => {
    const { spec } = new World();
    const waits = (jitter: number, tries: number) => {
      let ids = 0;
      let state = foldOf(spec).initial;
      const stamp = { now: 0, newId: () => `sevt_${++ids}` };
      const [primary] = state.threads;
      const begun = { ...state, threads: [{ ...primary, status: 'running', turnId: 't', attempt: tries }] };
      state = begun as typeof state;
      const failure = { error: { type: 'unknown_error' as const, message: '' }, retryable: true, jitter };
      const failed = { kind: 'failed' as const, turnId: 't', kept: [], failure };
      return evolveAll(state, decide(failed, { state, spec, stamp })).threads[0]?.retryAt;
    };
    expect([0, 1, 2, 3].map((tries) => waits(0, tries))).toEqual([750, 1_500, 3_000, 6_000]);
    expect([0, 1, 2, 3].map((tries) => waits(1, tries))).toEqual([1_000, 2_000, 4_000, 8_000]);
  });

  it('that says when to come back is not tried before, however short the wait was to be', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    const { now } = stage.world;
    const later = { retryable: true, retryAfterMs: 90_000 };
    await retried(stage, new ModelFailure('model_rate_limited_error', 'slow down', later));
    expect(stage.world.now - now).toBe(90_000);
    const soon = { retryable: true, retryAfterMs: 1 };
    const at = stage.world.now;
    await retried(stage, new ModelFailure('model_rate_limited_error', 'slow down', soon));
    expect(stage.world.now - at).toBeGreaterThan(1_000);
    const tomorrow = { retryable: true, retryAfterMs: 86_400_000 };
    const last = stage.world.now;
    await retried(stage, new ModelFailure('model_rate_limited_error', 'slow down', tomorrow));
    expect(stage.world.now - last).toBe(15 * 60_000);
  });
});

describe('processes that die', () => {
  it('a hundred times while one tool runs do not end the turn', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    await stage.replies([use('bash')]);
    await stage.tool();
    const [call = ''] = stage.world.harness.performed;
    // It is still at work: whoever asks for its outcome waits.
    const waits: (() => void)[] = [];
    stage.world.harness.recover = (asked) => {
      stage.world.harness.recovered.push(asked.effectId);
      return new Promise((resolve) => waits.push(() => resolve(outcome('at last'))));
    };
    for (let death = 0; death < 100; death++) {
      await stage.recover();
      await until(() => stage.world.harness.recovered.length === death + 1);
    }
    waits.at(-1)?.();
    const next = await stage.model();
    expect(JSON.stringify(next.input)).toContain('at last');
    next.settle([say('done')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['end_turn']);
    expect(stage.world.harness.performed).toEqual([call]);
    expect(await stage.of('agent.tool_result')).toHaveLength(1);
  });

  it('each time in the same model call end the turn after a bound, with an error', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    let deaths = 0;
    while (stage.status !== 'idle' && deaths < 50) {
      await stage.model();
      await stage.recover();
      deaths += 1;
    }
    expect(deaths).toBe(11);
    expect((await errors(stage)).at(-1)).toMatchObject({ retry_status: { type: 'exhausted' } });
    expect(await stage.stops()).toEqual(['retries_exhausted']);
    await stage.send(hello);
    await stage.replies([say('hi')]);
    await stage.rests();
  });

  it('do not use up the tries of a model that is busy', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    for (let round = 0; round < 4; round++) {
      await retried(stage, busy());
      await stage.model();
      await stage.recover();
    }
    await stage.replies([say('hi')]);
    await stage.rests();
    expect(await stage.stops()).toEqual(['end_turn']);
  });

  it('leave a session at rest alone', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    await stage.replies([say('hi')]);
    await stage.rests();
    const before = await stage.events();
    for (let death = 0; death < 5; death++) await stage.restart();
    await quiesce();
    expect(await stage.events()).toEqual(before);
  });
});
