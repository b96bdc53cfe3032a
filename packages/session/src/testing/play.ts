// A session played at random: clients, models, tools, alarms and crashes, step by step, in a world of its own.
import fc from 'fast-check';
import { GRADE } from '../grading.ts';
import { ModelFailure, type ModelOutput } from '../harness.ts';
import type { SessionRuntime } from '../runtime.ts';
import { outcome, say, use } from '../scripted-harness.ts';
import { quiesce, World } from '../testing.ts';
import { blocking } from '../thread.ts';
import { JUDGE } from '../verdicts.ts';
import { withJudged } from './judged-tools.ts';

type Send = 'message' | 'rule' | 'outcome' | 'interrupt' | 'answer' | 'deny' | 'child';
type Reply =
  | 'say'
  | 'bash'
  | 'two'
  | 'ask'
  | 'custom'
  | 'denied'
  | 'delegate'
  | 'both'
  | 'busy'
  | 'broken'
  | 'long'
  | 'think'
  | 'judged';

export type Step =
  | { do: 'send'; what: Send; size: number }
  | { do: 'model'; which: number; reply: Reply; size: number }
  | { do: 'tool'; which: number; size: number }
  | { do: 'ring' | 'crash' };

/** Characters: most are short, some fill a small window, few are too long for a row. */
const size = fc.oneof(
  { weight: 12, arbitrary: fc.nat(100) },
  { weight: 4, arbitrary: fc.integer({ min: 500, max: 3_000 }) },
  { weight: 1, arbitrary: fc.constant(270_000) },
);

const sends: fc.Arbitrary<Step> = fc
  .tuple(
    fc.constantFrom<Send[]>(
      'message',
      'message',
      'message',
      'rule',
      'outcome',
      'interrupt',
      'answer',
      'answer',
      'deny',
      'child',
    ),
    size,
  )
  .map(([what, length]) => ({ do: 'send', what, size: length }));

const REPLIES: Reply[] = [
  'say',
  'say',
  'say',
  'bash',
  'bash',
  'two',
  'ask',
  'custom',
  'denied',
  'delegate',
  'delegate',
  'both',
  'busy',
  'broken',
  'long',
  'think',
  'judged',
];

const models: fc.Arbitrary<Step> = fc
  .tuple(fc.nat(3), fc.constantFrom(...REPLIES), size)
  .map(([which, reply, length]) => ({ do: 'model', which, reply, size: length }));

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: sends },
  { weight: 8, arbitrary: models },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.nat(3), size)
      .map(([which, length]): Step => ({ do: 'tool', which, size: length })),
  },
  { weight: 2, arbitrary: fc.constantFrom<Step[]>({ do: 'ring' }, { do: 'crash' }) },
);

export class Play {
  world: World;
  runtime: SessionRuntime | null = null;
  #words = 0;

  /** A coordinator and an agent it can call, with a model that holds few tokens. */
  constructor(world = new World()) {
    this.world = world;
    const agent = { ...world.spec.agent, tools: withJudged(world.spec.agent.tools) };
    const { multiagent: _none, ...own } = agent;
    const scout = { ...own, id: 'agent_scout', name: 'scout' };
    world.spec = {
      ...world.spec,
      agent: { ...agent, multiagent: { type: 'coordinator', agents: [scout] } },
    };
    world.harness.choice = { contextWindow: 4_000, maxOutputTokens: 1_000 };
  }

  async live(): Promise<SessionRuntime> {
    if (this.runtime === null || this.runtime.dead) this.runtime = await this.world.open();
    return this.runtime;
  }

  async take(next: Step): Promise<void> {
    const runtime = await this.live();
    switch (next.do) {
      case 'send':
        await this.#send(runtime, next);
        break;
      case 'model':
        this.#model(next);
        break;
      case 'tool': {
        const { waitingTools: waiting } = this.world.harness;
        waiting[next.which % waiting.length]?.settle(outcome(this.#text('result', next.size)));
        break;
      }
      case 'ring':
        if (this.world.alarmAt !== null) await this.world.ring(runtime);
        break;
      case 'crash':
        this.#forget();
        await this.live();
    }
    await quiesce();
  }

  /** The process is gone; what it had asked of models and tools, nobody waits for. */
  #forget(): void {
    this.runtime = null;
    this.world.harness.models = [];
    this.world.harness.tools = [];
  }

  async #send(runtime: SessionRuntime, { what, size: length }: Extract<Step, { do: 'send' }>): Promise<void> {
    const text = this.#text(what, length);
    const content = [{ type: 'text' as const, text }];
    const message = { type: 'user.message' as const, content };
    const child = runtime.threads.find(({ parentId }) => parentId !== null)?.id;
    const [call] = (await this.world.state()).threads.flatMap(blocking);
    // What cannot be taken now is refused, and changes nothing.
    const send = (...events: Parameters<SessionRuntime['send']>[0]) =>
      runtime.send(events).catch(() => undefined);
    if (what === 'message') await send(message);
    else if (what === 'rule') await send(message, { type: 'system.message', content });
    else if (what === 'interrupt') await send({ type: 'user.interrupt' });
    else if (what === 'child') await send({ ...message, ...(child ? { session_thread_id: child } : {}) });
    else if (what === 'outcome') {
      const rubric = { type: 'text' as const, content: text };
      await send({ type: 'user.define_outcome', description: text.slice(0, 100), rubric });
    } else if (call?.waitsFor === 'client') {
      const rule = { type: 'system.message' as const, content };
      const result = { type: 'user.custom_tool_result' as const, custom_tool_use_id: call.id, content };
      await send(result, ...(length % 2 === 0 ? [] : [rule]));
    } else if (call !== undefined) {
      const result = what === 'deny' ? ('deny' as const) : ('allow' as const);
      await send({ type: 'user.tool_confirmation', tool_use_id: call.id, result });
    }
  }

  #model({ which, reply, size: length }: Extract<Step, { do: 'model' }>): void {
    const { waitingModels: waiting } = this.world.harness;
    const pending = waiting[which % waiting.length];
    if (pending === undefined) return;
    const { tools, builtIn } = pending.call;
    const text = this.#text('reply', length);
    const failure = (more: { retryable: boolean; contextTooLong?: boolean }) =>
      new ModelFailure('unknown_error', 'failed', more);
    if (reply === 'busy' || reply === 'broken') pending.fail(failure({ retryable: reply === 'busy' }));
    else if (reply === 'long') pending.fail(failure({ retryable: false, contextTooLong: true }));
    else if (tools.some(({ name }) => name === JUDGE)) pending.settle(this.#verdicts(length));
    else if (!builtIn) pending.settle([say(text.slice(0, 1_000))]);
    else if (tools.some(({ name }) => name === GRADE)) {
      const result = length % 2 === 0 ? 'satisfied' : 'needs_revision';
      pending.settle([use(GRADE, { result, explanation: text.slice(0, 100) })]);
    } else pending.settle(this.#outputs(reply, text));
  }

  #outputs(reply: Reply, text: string): ModelOutput[] {
    const delegated = use('delegate', { agent: 'scout', message: text.slice(0, 1_000) });
    switch (reply) {
      case 'bash':
        return [use('bash', { command: text.slice(0, 3_000) })];
      case 'two':
        return [say(text), use('bash'), use('read', { path: text })];
      case 'ask':
        return [use('write', { content: text }), use('bash')];
      case 'custom':
        return [use('ticket', { text }), use('bash'), use('ticket')];
      case 'denied':
        return [use('grep'), { type: 'tool_call', name: 'bash', input: null, problem: 'no JSON' }];
      case 'delegate':
        return [delegated];
      case 'both':
        return [{ type: 'thinking', opaque: 'o' }, use('bash'), delegated, use('read')];
      case 'judged':
        return [use('edit', { content: text }), use('bash'), use('edit')];
      case 'think':
        return [{ type: 'thinking', opaque: text.slice(0, 500) }, say(text)];
      default:
        return [say(text)];
    }
  }

  #verdicts(length: number): ModelOutput[] {
    const verdict = ['allow', 'deny', 'ask', 'of course'][length % 4];
    const verdicts = [1, 2].map((call) => ({ call, verdict, reason: `said ${verdict}` }));
    return [use(JUDGE, { verdicts })];
  }

  #text(what: string, length: number): string {
    return `${what} ${++this.#words} ${'x'.repeat(length)}`;
  }
}
