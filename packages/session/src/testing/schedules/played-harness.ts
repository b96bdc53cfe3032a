// The scripted harness of a play: it answers what the dice say, and notes everything it is asked that it never may be.
import type { ContextItem, ModelCall, ModelOutput, ModelPart, ToolCall, ToolOutcome } from '../../harness.ts';
import { ModelFailure } from '../../harness.ts';
import { outcome, type PendingModel, ScriptedHarness, say, use } from '../../scripted-harness.ts';
import type { Sql } from '../../sql.ts';
import { JUDGE } from '../../verdicts.ts';
import type { Dice } from './dice.ts';

const KINDS = [
  'words',
  'tool',
  'tools',
  'asks',
  'custom',
  'everything',
  'delegates',
  'writes on',
  'thinks',
  'words',
  'tools',
  'delegates',
  'asks',
  'delegates',
  'everything',
  'writes on',
  'not allowed',
  'bad input',
  'refuses',
  'nothing',
  'busy',
  'broken',
  'too long',
  'bad media',
  'crashes',
  'judged',
  'judged',
] as const;

export class PlayedHarness extends ScriptedHarness {
  /** What it was asked against the rules. */
  broken: string[] = [];
  #sql: Sql;
  #streamed = new WeakMap<ModelCall, string>();

  constructor(sql: Sql) {
    super();
    this.#sql = sql;
    this.held = true;
  }

  override async *call(call: ModelCall, signal: AbortSignal): AsyncGenerator<ModelPart> {
    const problem = unpaired(call.context);
    if (problem !== null) this.broken.push(`a context ${problem}`);
    this.#streamed.set(call, this.deltas.join(''));
    yield* super.call(call, signal);
  }

  override perform(call: ToolCall, signal: AbortSignal): Promise<ToolOutcome> {
    if (call.shell === 'grader') return Promise.resolve(outcome('as it is'));
    const [row] = this.#sql.all<{ data: string }>('SELECT data FROM events WHERE id = ?', [call.effectId]);
    const event = row === undefined ? null : JSON.parse(row.data);
    if (event?.name !== call.name) this.broken.push(`R6: ${call.effectId} is performed before it is logged`);
    if (event?.evaluated_permission === 'ask' && !this.#allowed(call.effectId))
      this.broken.push(`${call.effectId} is performed and was not allowed`);
    if (event?.evaluated_permission === 'deny') this.broken.push(`${call.effectId} is denied and performed`);
    return super.perform(call, signal);
  }

  /** The sandbox has its result even when nobody waits for it any more. */
  finish(call: ScriptedHarness['tools'][number], text: string): void {
    this.outcomes.set(call.input.effectId, outcome(text));
    call.settle(outcome(text));
  }

  #allowed(id: string): boolean {
    const said = this.#sql.all<{ data: string }>(
      `SELECT data FROM events WHERE type = 'user.tool_confirmation'`,
      [],
    );
    return said.some(({ data }) => {
      const { tool_use_id, result } = JSON.parse(data);
      return tool_use_id === id && result === 'allow';
    });
  }

  /** A model answers, one way or another. `threads`: whom it may write to. */
  answer(call: PendingModel, dice: Dice, threads: readonly string[]): void {
    if (call.call.tools.some(({ name }) => name === 'grade_outcome')) {
      this.#grade(call, dice);
      return;
    }
    const streamed = this.#streamed.get(call.call) ?? '';
    if (call.call.tools.some(({ name }) => name === JUDGE)) {
      this.#judge(call, dice);
      return;
    }
    const kind = dice.of(call.call.builtIn ? KINDS : ['words', 'words', 'nothing', 'busy', 'too long']);
    const words = say(`${streamed}words${'.'.repeat(dice.roll(3) * 1_500)}`);
    const failure = failureOf(kind ?? 'words');
    if (failure !== null) {
      call.fail(failure);
      return;
    }
    const refusal =
      kind === 'refuses' ? { type: 'refusal' as const, category: null, explanation: 'no' } : null;
    const outputs = outputsOf(kind ?? 'words', words, { dice, threads });
    const first = streamed === '' || kind === 'nothing' || outputs[0] === words ? [] : [words];
    call.settle({ type: 'end', outputs: [...first, ...outputs], usage: usageOf(call.call, dice), refusal });
  }

  #grade(call: PendingModel, dice: Dice): void {
    const verdict = (result: string) => use('grade_outcome', { result, explanation: 'as the rubric says' });
    const kind = dice.of([
      'satisfied',
      'needs_revision',
      'reads',
      'failed',
      'silent',
      'busy',
      'broken',
      'too long',
    ]);
    const failure = failureOf(kind ?? 'words');
    if (failure !== null) {
      call.fail(failure);
      return;
    }
    const outputs =
      kind === 'reads'
        ? [say('let me see'), use('read', { path: 'a' }), use('bash'), use('grade_outcome', {})]
        : kind === 'silent'
          ? [say('hm')]
          : [verdict(kind ?? '')];
    call.settle({ type: 'end', outputs, usage: usageOf(call.call, dice), refusal: null });
  }

  /** Verdicts on as many calls as there are, or on more, or none. */
  #judge(call: PendingModel, dice: Dice): void {
    const kind = dice.of(['allow', 'deny', 'ask', 'mixed', 'allow', 'silent', 'busy', 'broken', 'too long']);
    const failure = failureOf(kind ?? 'words');
    if (failure !== null) {
      call.fail(failure);
      return;
    }
    const verdicts = [1, 2, 3].map((number) => ({
      call: number,
      verdict: kind === 'mixed' ? dice.of(['allow', 'deny', 'ask']) : kind,
      reason: 'as the dice say',
    }));
    const outputs = kind === 'silent' ? [say('allow all of it')] : [use(JUDGE, { verdicts })];
    call.settle({ type: 'end', outputs, usage: usageOf(call.call, dice), refusal: null });
  }

  /** A model in a good mood. */
  please(call: PendingModel): void {
    if (call.call.tools.some(({ name }) => name === JUDGE)) {
      call.settle([say('hm')]);
      return;
    }
    const grader = call.call.tools.some(({ name }) => name === 'grade_outcome');
    const streamed = this.#streamed.get(call.call) ?? '';
    const verdict = use('grade_outcome', { result: 'satisfied', explanation: 'it is' });
    call.settle(grader ? [verdict] : [say(`${streamed}done`)]);
  }
}

type Kind = (typeof KINDS)[number];

function failureOf(kind: Kind | string): Error | null {
  const failure = (retryable: boolean, more = {}) =>
    new ModelFailure('unknown_error', 'failed', { retryable, ...more });
  switch (kind) {
    case 'busy':
      return failure(true, { retryAfterMs: 5_000 });
    case 'broken':
      return failure(false);
    case 'too long':
      return failure(false, { contextTooLong: true });
    case 'bad media':
      return failure(true, { badMedia: true });
    case 'crashes':
      return new TypeError('a bug of the harness');
    default:
      return null;
  }
}

function outputsOf(
  kind: string,
  words: ModelOutput,
  { dice, threads }: { dice: Dice; threads: readonly string[] },
): ModelOutput[] {
  const delegate = (input: Record<string, unknown>) => use('delegate', { message: 'do it', ...input });
  switch (kind) {
    case 'tool':
      return [use('bash', { command: 'a' })];
    case 'tools':
      return [words, use('bash', { command: 'b' }), use('read', { path: 'c' })];
    case 'asks':
      return [use('write', { path: `d${dice.roll(3)}` })];
    case 'judged':
      return dice.roll(2) === 0
        ? [use('edit', { path: 'g' })]
        : [words, use('edit', { path: 'h' }), use('bash'), use('edit'), use('write')];
    case 'custom':
      return [use('ticket', { about: 'e' })];
    case 'everything':
      return [words, use('write', { path: 'f' }), use('bash'), use('ticket'), use('grep'), use('write')];
    case 'delegates':
      return dice.roll(2) === 0
        ? [delegate({ agent: 'scout' }), delegate({ agent: 'scribe' })]
        : [words, delegate({ agent: 'scout' }), delegate({ agent: 'agent_scribe' }), use('bash')];
    case 'writes on':
      return [delegate({ thread_id: dice.of(threads) ?? 'sthr_nobody' })];
    case 'thinks':
      return [{ type: 'thinking', opaque: 'thought' }, words];
    case 'not allowed':
      return [use('grep'), use('unheard_of')];
    case 'bad input':
      return [
        { type: 'tool_call', name: 'bash', input: null, problem: 'not JSON' },
        delegate({ agent: 'nobody' }),
        use('delegate', {}),
      ];
    case 'refuses':
      return dice.roll(2) === 0 ? [] : [words];
    case 'nothing':
      return [];
    default:
      return [words];
  }
}

/** As much as the call may use at most, or less. */
function usageOf({ maxOutputTokens, context }: ModelCall, dice: Dice) {
  const most = maxOutputTokens ?? 2_000;
  const output_tokens = dice.of([Math.min(2, most), most, Math.floor(most / 2)]) ?? 0;
  const read = Math.min(1_500, Math.ceil(JSON.stringify(context).length / 3.5));
  const cached = dice.of([0, read, Math.floor(read / 2)]) ?? 0;
  const rest = read - cached;
  return dice.roll(2) === 0
    ? { input_tokens: rest, cache_read_input_tokens: cached, cache_creation_input_tokens: 0, output_tokens }
    : { input_tokens: rest, cache_read_input_tokens: 0, cache_creation_input_tokens: cached, output_tokens };
}

/** Each call of a context has one result, after it. */
function unpaired(context: readonly ContextItem[]): string | null {
  const open = new Set<string>();
  const seen = new Set<string>();
  for (const item of context) {
    if (item.type === 'tool_call') {
      if (seen.has(item.callId)) return `has the call ${item.callId} twice`;
      seen.add(item.callId);
      open.add(item.callId);
    } else if (item.type === 'tool_result' && !open.delete(item.callId))
      return `has a result without its call ${item.callId}`;
  }
  return open.size === 0 ? null : `has calls without results: ${[...open].join(', ')}`;
}
