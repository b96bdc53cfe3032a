// Random schedules of clients, models, tools, alarms, crashes, zombies and failing storage. After every step the
// invariants hold; in the end nothing was lost, doubled or left waiting.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import { owed } from './machine.ts';
import type { SessionRuntime } from './runtime.ts';
import { outcome, say, use } from './scripted-harness.ts';
import type { State } from './state.ts';
import { quiesce, World } from './testing.ts';
import { blocking as blockingIn } from './thread.ts';

const blocking = (state: State) => state.threads.flatMap((thread) => blockingIn(thread));

type Step =
  | { do: 'send' | 'interrupt' | 'ring' | 'crash' | 'answer' | 'tool' | 'zombie' }
  | { do: 'model'; reply: 'say' | 'bash' | 'two' | 'ask' | 'custom' | 'denied' | 'busy' | 'broken' | 'empty' }
  | { do: 'storage' | 'control'; fails: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Step>({ do: 'send' }) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom('say', 'bash', 'two', 'ask', 'custom', 'denied', 'busy', 'broken', 'empty')
      .map((reply): Step => ({ do: 'model', reply })),
  },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom('interrupt', 'ring', 'crash', 'answer', 'tool', 'tool', 'zombie')
      .map((kind): Step => ({ do: kind })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('storage', 'control'), fc.boolean())
      .map(([kind, fails]): Step => ({ do: kind, fails })),
  },
);

class Play {
  world = new World();
  runtime: SessionRuntime | null = null;
  accepted: string[] = [];
  #said = 0;

  /** The host: a dead runtime is replaced when somebody calls. */
  async live(): Promise<SessionRuntime | null> {
    if (this.runtime && !this.runtime.dead) return this.runtime;
    this.runtime = await this.world.open().catch(() => null);
    return this.runtime;
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'send':
        return this.send();
      case 'interrupt':
        await (await this.live())?.send([{ type: 'user.interrupt' }]).catch(() => undefined);
        return;
      case 'ring':
        return this.ring();
      case 'crash':
        this.runtime = null;
        return;
      case 'answer':
        return this.answer();
      case 'tool':
        this.world.harness.waitingTools[0]?.settle(outcome('ok'));
        return;
      case 'zombie':
        for (const call of this.world.harness.tools) if (!call.done) call.settle(outcome('late'));
        return;
      case 'model':
        return this.model(step.reply);
      case 'storage':
        this.world.appendFails = step.fails;
        return;
      case 'control':
        this.world.indexFails = step.fails;
    }
  }

  async send(): Promise<void> {
    const text = `message ${++this.#said}`;
    const sent = (await this.live())?.send([{ type: 'user.message', content: [{ type: 'text', text }] }]);
    const answer = await sent?.catch(() => null);
    for (const event of answer?.events ?? []) this.accepted.push(event.id);
  }

  async ring(): Promise<void> {
    if (this.world.alarmAt === null) return;
    this.world.now = Math.max(this.world.now, this.world.alarmAt);
    this.world.alarmAt = null;
    const runtime = await this.live();
    // An alarm that fails is tried again by the host.
    await runtime?.wake().catch(() => undefined);
    if (!runtime || runtime.dead) this.world.alarmAt = this.world.now + 1_000;
  }

  async answer(): Promise<void> {
    const [call] = blocking(await this.state());
    if (!call) return;
    const event =
      call.waitsFor === 'client'
        ? { type: 'user.custom_tool_result' as const, custom_tool_use_id: call.id, content: [] }
        : { type: 'user.tool_confirmation' as const, tool_use_id: call.id, result: 'allow' as const };
    await (await this.live())?.send([event]).catch(() => undefined);
  }

  model(reply: Extract<Step, { do: 'model' }>['reply']): void {
    const [call] = this.world.harness.waitingModels;
    const failure = (retryable: boolean) => new ModelFailure('unknown_error', 'failed', { retryable });
    if (reply === 'busy' || reply === 'broken') {
      call?.fail(failure(reply === 'busy'));
      return;
    }
    const replies = {
      say: [say('words')],
      bash: [use('bash')],
      two: [say('both'), use('bash'), use('read')],
      ask: [use('write'), use('bash')],
      custom: [use('ticket')],
      denied: [use('grep')],
      empty: [],
    };
    call?.settle(replies[reply]);
  }

  async state(): Promise<State> {
    return this.world.state();
  }
}

async function check(play: Play): Promise<void> {
  const state = await play.state();
  const { world, runtime } = play;
  // M2: the live state is the fold of the log.
  if (runtime && !runtime.dead) expect(runtime.view).toEqual(owed(state, world.spec, world.now).index);
  // R7: nothing is due without an alarm that will look at it.
  if (state.status === 'running' || state.status === 'rescheduling') expect(world.alarmAt).not.toBeNull();
  if (state.status === 'idle' && blocking(state).length === 0) {
    for (const thread of state.threads) {
      expect(thread.queue).toEqual([]);
      expect(thread.calls).toEqual([]);
      expect(thread.openSpan).toBeNull();
    }
  }
  // R6: nothing is performed twice, and nothing that is not on the log.
  const uses = new Set((await world.events()).map((event) => event.id));
  expect(new Set(world.harness.performed).size).toBe(world.harness.performed.length);
  for (const id of world.harness.performed) expect(uses.has(id)).toBe(true);
}

/** Lets everything come to rest with a friendly world. */
async function finish(play: Play): Promise<void> {
  play.world.appendFails = false;
  play.world.indexFails = false;
  for (let round = 0; round < 60; round++) {
    await play.live();
    await quiesce();
    const state = await play.state();
    if (state.status === 'idle' && blocking(state).length === 0 && play.world.alarmAt === null) return;
    if (state.status === 'rescheduling' || play.world.harness.waitingModels.length === 0) await play.ring();
    play.model('say');
    play.world.harness.waitingTools[0]?.settle(outcome('ok'));
    await play.answer();
  }
  throw new Error(`never came to rest: ${JSON.stringify(await play.state())}`);
}

async function checkEnd(play: Play): Promise<void> {
  const events = await play.world.events();
  // Every accepted message was taken exactly once, in the order it was accepted.
  const taken = events.filter((event) => event.type === 'user.message' && event.processed_at !== null);
  expect(taken.map((event) => event.id)).toEqual(play.accepted);
  const uses = events.filter((event) => event.type.endsWith('tool_use')).map((event) => event.id);
  const results = events.flatMap((event) => {
    if (event.type === 'agent.tool_result') return [event.tool_use_id];
    return event.type === 'user.custom_tool_result' ? [event.custom_tool_use_id] : [];
  });
  expect([...results].sort()).toEqual([...uses].sort());
  const count = (type: string) => events.filter((event) => event.type === type).length;
  expect(count('span.model_request_start')).toBe(count('span.model_request_end'));
  expect(play.world.index?.status ?? 'idle').toBe('idle');
}

it('holds its invariants under any schedule', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const play = new Play();
      await play.live();
      for (const next of steps) {
        await play.take(next);
        await quiesce();
        await check(play);
      }
      await finish(play);
      await checkEnd(play);
    }),
    { numRuns: 300 },
  );
}, 60_000);
