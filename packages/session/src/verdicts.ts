// Verdicts on tool calls under the policy `auto`, as a judge gives them. Fails closed: only a verdict that is plainly there,
// once, in a call of the judge's tool lets anything run; whatever is missing, doubled or unreadable is asked about.
import { type JudgeInput, judgeInput } from '@capstan/schema/engine-tools';
import type { EventOf } from '@capstan/schema/events';
import type { Judgement } from './entry.ts';
import type { ModelOutput } from './harness.ts';

export const JUDGE = 'judge_calls';
/** A reason is a sentence, for people to read and for logs to keep. */
const LONGEST_REASON = 300;

/** `unfunded`: the session's budget had no room to judge it. */
export type Verdict = Judgement & { unfunded?: true };

export function indeterminate(reason: string): Verdict {
  return { verdict: 'ask', reason };
}

export const UNJUDGED = indeterminate('Nobody has judged it.');
const UNREADABLE = indeterminate('The judge gave no verdict that can be read.');

/** One for each of `count` calls, in their order. Words beside the judge's tool count for nothing. */
export function verdictsOf(outputs: readonly ModelOutput[], count: number): Verdict[] {
  const given = inputOf(outputs)?.verdicts ?? [];
  return Array.from({ length: count }, (_, index) => verdictOn(index + 1, given));
}

function inputOf(outputs: readonly ModelOutput[]): JudgeInput | null {
  const calls = outputs.flatMap((output) => (output.type === 'tool_call' ? [output] : []));
  const [call, ...more] = calls;
  if (call?.name !== JUDGE || call.server !== undefined || more.length > 0) return null;
  return judgeInput.safeParse(call.input).data ?? null;
}

function verdictOn(number: number, given: JudgeInput['verdicts']): Verdict {
  const [one, ...more] = given.filter(({ call }) => call === number);
  if (one === undefined || more.length > 0) return UNREADABLE;
  return { verdict: one.verdict, reason: [...one.reason].slice(0, LONGEST_REASON).join('') };
}

type Evaluation = NonNullable<EventOf<'agent.tool_use'>['evaluation']>;

/** As the API shows it. */
export function toEvaluation({ verdict, unfunded }: Verdict): Evaluation {
  return { type: 'auto', evaluated_permission: toPermission(verdict, unfunded === true) };
}

function toPermission(verdict: Verdict['verdict'], unfunded: boolean) {
  switch (verdict) {
    case 'allow':
      return { type: 'allow' as const };
    case 'ask':
      return { type: 'ask' as const, reason_code: 'indeterminate' as const };
    case 'deny': {
      const code = unfunded ? ('indeterminate' as const) : ('high_risk' as const);
      return { type: 'deny' as const, reason_code: code };
    }
  }
}

/** What the model is told of a call that was denied. */
export function denialOf({ reason, unfunded }: Verdict): string {
  if (unfunded) return `Not run: ${reason}`;
  return `${HIGH_RISK} ${reason}\nDo not bring the same about in another way: take a safer step, or ask the user.`;
}

export const HIGH_RISK = 'Not run: it was judged to be high-risk.';
