// A session with workflow runs, played at random: plans, models, interrupts, stops, alarms and crashes, step by step.
import fc from 'fast-check';
import { ModelFailure, type ModelOutput } from '../harness.ts';
import { outcome, say, use } from '../scripted-harness.ts';
import { quiesce } from '../testing.ts';
import { blocking } from '../thread.ts';
import { message, PRIMARY } from './crew.ts';
import type { Flows } from './flows.ts';

/** A plan in numbers. */
export interface Sketch {
  /** Of each phase, its steps: how many items each is for; 0: it has none, -1: the list that the first step made. */
  phases: number[][];
}

/** Most are short, a few have more than may be at work at once. */
const items = fc.oneof(
  { weight: 25, arbitrary: fc.integer({ min: -1, max: 3 }) },
  { weight: 1, arbitrary: fc.constant(70) },
);

export const sketch: fc.Arbitrary<Sketch> = fc.record({
  phases: fc.array(fc.array(items, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  }),
});

/** A plan of that sketch: every phase refers to the one before it, and lists to what the first step has made. */
export function planOf({ phases }: Sketch) {
  return {
    phases: phases.map((steps, at) => ({
      name: `Phase ${at}`,
      steps: steps.map((items, index) => {
        const single = at === 0 && index === 0;
        const list = single ? {} : listOf(items, at);
        const before = at === 0 ? '' : ` {{steps.s${at - 1}x0}}`;
        const item = Object.keys(list).length === 0 ? '' : ' {{item}}';
        const agent = index % 2 === 0 ? 'scout' : 'scribe';
        return { id: `s${at}x${index}`, agent, message: `Do ${at}.${index}${before}${item}`, ...list };
      }),
    })),
  };
}

function listOf(items: number, phase: number) {
  if (items > 0) return { for_each: many(items) };
  return items < 0 && phase > 0 ? { for_each_of: 's0x0' } : {};
}

const many = (count: number) => Array.from({ length: count }, (_, index) => `item ${index}`);

export type Step =
  | { do: 'start'; sketch: Sketch }
  | { do: 'model' | 'answer' | 'interrupt' | 'tool'; pick: number; how: number }
  | { do: 'all' | 'stop' | 'send' | 'crash' | 'ring' | 'day' }
  | { do: 'storage'; fails: boolean };

const chosen = fc.record({
  do: fc.constantFrom(
    'model' as const,
    'model' as const,
    'model' as const,
    'answer' as const,
    'interrupt' as const,
    'tool' as const,
  ),
  pick: fc.nat(200),
  how: fc.nat(9),
});
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: chosen },
  { weight: 3, arbitrary: sketch.map((one): Step => ({ do: 'start', sketch: one })) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>(
      { do: 'all' },
      { do: 'stop' },
      { do: 'send' },
      { do: 'crash' },
      { do: 'crash' },
      { do: 'ring' },
      { do: 'day' },
    ),
  },
  { weight: 1, arbitrary: fc.boolean().map((fails): Step => ({ do: 'storage', fails })) },
);

const at = <T>(list: readonly T[], pick: number): T | undefined =>
  list.length === 0 ? undefined : list[pick % list.length];

export class FlowPlay {
  flows: Flows;
  #crashed = false;

  constructor(flows: Flows) {
    this.flows = flows;
  }

  get down(): boolean {
    return this.#crashed || this.flows.runtime.dead;
  }

  async revive(): Promise<boolean> {
    this.#crashed = await this.flows.restart().then(
      () => false,
      () => true,
    );
    return !this.down;
  }

  async take(next: Step): Promise<void> {
    const { flows } = this;
    if (this.down && !(await this.revive())) return;
    const quietly = (work: Promise<unknown>) => work.catch(() => undefined);
    switch (next.do) {
      case 'start':
        return this.agentCalls(use('start_workflow', planOf(next.sketch)));
      case 'stop': {
        const [run] = (await flows.world.state()).runs;
        return this.agentCalls(use('stop_workflow', { workflow_run_id: run?.id ?? 'wrun_none' }));
      }
      case 'model':
        return this.model(next.pick, next.how);
      case 'tool':
        at(flows.world.harness.waitingTools, next.pick)?.settle(outcome('ok'));
        return;
      case 'answer':
        await this.answer(next.pick, next.how);
        return;
      case 'interrupt': {
        const session_thread_id = at(flows.runtime.threads, next.pick)?.id ?? PRIMARY;
        await quietly(flows.send({ type: 'user.interrupt', session_thread_id }));
        return;
      }
      case 'all':
        await quietly(flows.send({ type: 'user.interrupt' }));
        return;
      case 'send':
        await quietly(flows.send(message('more')));
        return;
      case 'crash':
        await this.revive();
        return;
      case 'day':
        flows.world.now += 25 * 60 * 60_000;
        return this.ring();
      case 'ring':
        return this.ring();
      case 'storage':
        flows.world.appendFails = next.fails;
    }
  }

  async ring(): Promise<void> {
    const { world, runtime } = this.flows;
    if (world.alarmAt !== null) await world.ring(runtime).catch(() => undefined);
    if (this.down) world.alarmAt = world.now + 1_000;
  }

  /** The session's agent is asked, and makes the call. */
  async agentCalls(call: ModelOutput): Promise<void> {
    await this.flows.send(message('go on')).catch(() => undefined);
    await quiesce();
    if (!this.down && this.flows.asks(PRIMARY)) (await this.flows.model(PRIMARY)).settle([call]);
  }

  model(pick: number, how: number): void {
    const call = at(this.flows.waiting, pick);
    if (call === undefined) return;
    const replies: (ModelOutput[] | ModelFailure)[] = [
      [say('words')],
      [say('["one", "two", "three"]')],
      [say('words {{steps.s0x0}}')],
      [use('bash')],
      [use('write')],
      [use('write')],
      [say('writing'), use('write'), use('bash')],
      [use('check_workflow')],
      new ModelFailure('unknown_error', 'busy', { retryable: true }),
      new ModelFailure('unknown_error', 'broken', { retryable: false }),
    ];
    const reply = replies[how] ?? [say('["four"]')];
    if (reply instanceof ModelFailure) call.fail(reply);
    else call.settle(reply);
  }

  async answer(pick: number, how: number): Promise<void> {
    const { threads } = await this.flows.world.state();
    const call = at(threads.flatMap(blocking), pick);
    if (call === undefined) return;
    const result = how % 3 === 0 ? ('deny' as const) : ('allow' as const);
    await this.flows
      .send({ type: 'user.tool_confirmation', tool_use_id: call.id, result })
      .catch(() => undefined);
  }
}

/** Answers whatever is asked until nothing is under way. */
export async function finish(play: FlowPlay): Promise<void> {
  play.flows.world.appendFails = false;
  for (let round = 0; round < 400; round++) {
    if (play.down) await play.revive();
    await quiesce();
    const { status, threads, runs } = await play.flows.world.state();
    if (status === 'idle' && runs.length === 0 && threads.every((thread) => blocking(thread).length === 0))
      return;
    if (play.flows.waiting.length === 0) await play.ring();
    for (const _ of play.flows.waiting.slice()) play.model(0, 0);
    for (const call of play.flows.world.harness.waitingTools) call.settle(outcome('ok'));
    await play.answer(0, 1);
  }
  throw new Error(`never came to rest: ${JSON.stringify(await play.flows.world.state())}`);
}
