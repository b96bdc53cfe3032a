// Threads that call, fail, die and wait as chance has it: together they never go beyond the budget, and never get stuck.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ModelFailure } from './harness.ts';
import { outcome, type PendingModel, say, use } from './scripted-harness.ts';
import type { State } from './state.ts';
import { Crew, delegate, message } from './testing/crew.ts';
import { cents, limit, took } from './testing/stage.ts';
import { quiesce } from './testing.ts';

type Step =
  | {
      do: 'reply';
      which: number;
      with: 'say' | 'bash' | 'delegate' | 'ticket';
      input: number;
      output: number;
    }
  | { do: 'fail'; which: number; retryable: boolean }
  | { do: 'tool' | 'ring' | 'restart' | 'send' | 'interrupt' | 'answer' };

const percent = fc.integer({ min: 0, max: 100 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('reply' as const),
      which: fc.nat(3),
      with: fc.constantFrom('say' as const, 'bash' as const, 'delegate' as const, 'ticket' as const),
      input: percent,
      output: percent,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('fail' as const), which: fc.nat(3), retryable: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom('tool', 'tool', 'ring', 'restart', 'send', 'interrupt', 'answer')
      .map((what): Step => ({ do: what as 'tool' })),
  },
);

const budget = fc
  .record({
    money: fc.integer({ min: 1, max: 60 }),
    max_tokens: fc.integer({ min: 1_000, max: 60_000 }),
    max_model_calls: fc.integer({ min: 1, max: 8 }),
    of: fc.subarray(['money', 'tokens', 'calls'], { minLength: 1 }),
  })
  .map(({ money, max_tokens, max_model_calls, of }) =>
    limit({
      ...(of.includes('money') ? cents(money) : {}),
      ...(of.includes('tokens') ? { max_tokens } : {}),
      ...(of.includes('calls') ? { max_model_calls } : {}),
    }),
  );

const outputs = {
  say: [say('words')],
  bash: [use('bash')],
  delegate: [delegate({ agent: 'scout', message: 'look' })],
  ticket: [use('ticket')],
};

class Play {
  crew: Crew;

  constructor(crew: Crew) {
    this.crew = crew;
  }

  async take(now: Step): Promise<void> {
    const { crew } = this;
    switch (now.do) {
      case 'reply':
        return this.reply(now);
      case 'fail': {
        const { retryable } = now;
        this.call(now.which)?.fail(new ModelFailure('unknown_error', 'failed', { retryable }));
        return;
      }
      case 'tool':
        crew.world.harness.waitingTools[0]?.settle(outcome('ok'));
        return;
      case 'ring':
        if (crew.world.alarmAt !== null) await crew.world.ring(crew.runtime);
        return;
      case 'restart':
        for (const call of crew.world.harness.models) call.done = true;
        for (const call of crew.world.harness.tools) call.done = true;
        return crew.restart();
      case 'send':
        await crew.send(message('more')).catch(() => undefined);
        return;
      case 'interrupt':
        await crew.send({ type: 'user.interrupt' });
        return;
      case 'answer':
        return this.answer();
    }
  }

  call(which: number): PendingModel | undefined {
    const { waitingModels } = this.crew.world.harness;
    return waitingModels[which % Math.max(1, waitingModels.length)];
  }

  /** Takes a share of what was set aside for it. */
  async reply(now: Extract<Step, { do: 'reply' }>): Promise<void> {
    const call = this.call(now.which);
    const state = await this.crew.world.state();
    const reserved = state.threads.find(({ id }) => id === call?.call.threadId)?.openSpan?.reserved;
    if (!call || !reserved) return;
    const { output } = reserved;
    expect(call.call.maxOutputTokens).toBe(output);
    call.settle(
      took(outputs[now.with], {
        cache_creation_input_tokens: Math.floor(((reserved.tokens - (output ?? 0)) * now.input) / 100),
        output_tokens: Math.floor(((output ?? 0) * now.output) / 100),
      }),
    );
  }

  async answer(): Promise<void> {
    const state = await this.crew.world.state();
    const [call] = state.threads.flatMap(({ calls }) =>
      calls.filter(({ waitsFor }) => waitsFor === 'client'),
    );
    if (!call) return;
    await this.crew.send({ type: 'user.custom_tool_result', custom_tool_use_id: call.id, content: [] });
  }

  async check(): Promise<void> {
    const { spent, threads, budget: limits } = await this.crew.world.state();
    const { max_list_cost: cost, max_tokens: tokens, max_model_calls: calls } = limits ?? {};
    const open = threads.flatMap(({ openSpan }) => openSpan ?? []);
    const held = { nanoUsd: 0, tokens: 0 };
    for (const { reserved } of open) {
      held.nanoUsd += reserved.nanoUsd;
      held.tokens += reserved.tokens;
    }
    if (cost) expect(spent.nanoUsd + held.nanoUsd).toBeLessThanOrEqual(Number(cost.amount) * 10_000_000);
    if (tokens) expect(spent.tokens + held.tokens).toBeLessThanOrEqual(tokens);
    if (calls) expect(spent.modelCalls + open.length).toBeLessThanOrEqual(calls);
  }

  async finish(): Promise<State> {
    for (let round = 0; round < 40; round++) {
      await quiesce();
      const state = await this.crew.world.state();
      const waits = state.threads.some(({ calls }) => calls.some(({ waitsFor }) => waitsFor !== 'nobody'));
      if (state.status === 'idle' && !waits) return state;
      await this.take({ do: 'reply', which: 0, with: 'say', input: 50, output: 1 });
      await this.take({ do: 'tool' });
      await this.answer();
      if (state.status === 'rescheduling') await this.take({ do: 'ring' });
    }
    throw new Error(`never came to rest: ${JSON.stringify(await this.crew.world.state())}`);
  }
}

it('stays within the budget under any schedule, and rests for a reason that is true', async () => {
  await fc.assert(
    fc.asyncProperty(budget, fc.array(step, { maxLength: 25 }), async (limits, steps) => {
      const crew = await Crew.open();
      await crew.runtime.update({ budget: limits });
      const play = new Play(crew);
      await crew.send(message('go'));
      for (const now of steps) {
        await quiesce();
        await play.take(now);
        await quiesce();
        await play.check();
      }
      const state = await play.finish();
      await play.check();
      const waits = state.threads.some(
        ({ status, unanswered, unseen, queue }) =>
          status !== 'terminated' && (unanswered || unseen || queue.length > 0),
      );
      // Whoever rests with something left to do waits for the budget, and the session says so.
      expect(state.threads.some(({ paused }) => paused)).toBe(waits);
      const last = (await crew.stops()).at(-1)?.type;
      expect(last === 'budget_reached').toBe(waits);
    }),
    { numRuns: 120 },
  );
}, 60_000);
