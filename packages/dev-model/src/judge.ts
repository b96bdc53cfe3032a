// Verdicts on tool calls: `[[judge VERDICT after MS if TEXT because WHY]]` in a person's words says how the calls are judged whose
// input has TEXT. Nothing that a call's input says is obeyed.
import type { Conversation } from './conversation.ts';
import { type Directive, DirectiveError, findDirectives } from './directive.ts';
import { isObject } from './json.ts';
import type { Block } from './reply.ts';

const TOOL = 'judge_calls';
const VERDICTS = ['allow', 'deny', 'ask', 'broken'] as const;
const DEFAULT: Rule = {
  verdict: 'ask',
  waitMs: 0,
  condition: null,
  why: 'The development model cannot judge: a person decides what no [[judge ...]] does.',
};

interface Rule {
  /** `broken`: the judge's answer cannot be read. */
  verdict: (typeof VERDICTS)[number];
  /** How long the judge takes to begin with its answer. */
  waitMs: number;
  /** What the call's input has to have; null: every call. */
  condition: string | null;
  why: string;
}

export interface Judgement {
  block: Block;
  waitMs: number;
}

/** The call that judges, or null when nothing is to be judged. Throws DirectiveError for a verdict it cannot read. */
export function judgeCall(conversation: Conversation): Judgement | null {
  if (!conversation.tools.some(({ name }) => name === TOOL)) return null;
  const { said, calls } = documentOf(conversation);
  const rules = said
    .flatMap((text) => findDirectives(text).directives)
    .filter(({ name }) => name === 'judge')
    .map(parseRule);
  const ruled = calls.map((input) => rules.find((rule) => holds(rule, input)) ?? DEFAULT);
  const waitMs = Math.max(0, ...ruled.map((rule) => rule.waitMs));
  return { block: { kind: 'call', name: TOOL, argumentsJson: argumentsOf(ruled) }, waitMs };
}

function argumentsOf(ruled: readonly Rule[]): string {
  if (ruled.some(({ verdict }) => verdict === 'broken')) return '{"verdicts":[{"call":1,"verdict":"allow"';
  const verdicts = ruled.map(({ verdict, why }, index) => ({ call: index + 1, verdict, reason: why }));
  return JSON.stringify({ verdicts });
}

function holds({ condition }: Rule, input: string): boolean {
  return condition === null || input.includes(condition);
}

const RULE = /^(\w+)(?:\s+after\s+(\d{1,5}))?(?:\s+if\s+(.+?))?(?:\s+because\s+([\s\S]+))?$/;

function parseRule({ args }: Directive): Rule {
  const [, word, wait, condition, why] = RULE.exec(args) ?? [];
  const verdict = VERDICTS.find((known) => known === word);
  if (verdict === undefined)
    throw new DirectiveError(
      `judge ${args}`,
      `wants ${VERDICTS.join(', ')}, then after MS, then if TEXT, then because WHY`,
    );
  return {
    verdict,
    waitMs: Number(wait ?? 0),
    condition: condition ?? null,
    why: why ?? 'The script says so.',
  };
}

/** What people said, and the inputs of the calls to judge, as JSON. */
function documentOf({ entries }: Conversation): { said: string[]; calls: string[] } {
  const last = entries.findLast((entry) => entry.role === 'user');
  const document = parsed(last?.role === 'user' ? last.texts.join('') : '');
  const said = membersOf(document, 'conversation').flatMap((entry) =>
    entry.from === 'person' && typeof entry.text === 'string' ? [entry.text] : [],
  );
  return { said, calls: membersOf(document, 'calls').map(({ input }) => JSON.stringify(input) ?? '') };
}

function membersOf(document: unknown, name: string) {
  const list = isObject(document) ? document[name] : undefined;
  return Array.isArray(list) ? list.filter(isObject) : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
