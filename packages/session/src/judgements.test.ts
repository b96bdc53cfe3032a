import { describe, expect, it } from 'vitest';
import { grant } from './budget.ts';
import type { Entry } from './entry.ts';
import { USAGE } from './scripted-harness.ts';
import { withJudged } from './testing/judged-tools.ts';
import { CHOICE, Machine, typesOf } from './testing/machine.ts';
import { World } from './testing.ts';

const { agent } = new World().spec;
const message = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'change it' }] };
const begin = {
  kind: 'begin_judging' as const,
  calls: [{ name: 'edit' }],
  usage: USAGE,
  estimate: { choice: CHOICE, inputTokens: 50 },
};
const edit = { type: 'tool_call' as const, id: 'sevt_edit', name: 'edit', input: { path: 'a' }, hash: 'abc' };

/** A model request is under way whose reply calls `edit`. */
function replying(): Machine {
  const machine = new Machine({ agent: { ...agent, tools: withJudged(agent.tools) } });
  machine.send(message);
  machine.begins();
  return machine;
}

const reply = (outputs: object[], more: object = {}) => ({
  ...{ kind: 'reply' as const, usage: USAGE, refusal: null },
  outputs: outputs as [typeof edit],
  ...more,
});

const useOf = (entries: readonly Entry[]) =>
  entries.map(({ event }) => event).find((event) => event.type === 'agent.tool_use');

describe('a request that judges', () => {
  it('stands beside the request whose reply it judges, and is no step of the turn', () => {
    const machine = replying();
    const { openSpan, steps } = machine.primary;
    const [start] = machine.step(begin);
    expect(start?.event).toMatchObject({ capstan: { model: 'real', purpose: 'permission' } });
    expect(machine.primary.judging).toMatchObject({ id: start?.event.id, kind: 'permission' });
    expect(machine.primary.openSpan?.id).toBe(openSpan?.id);
    expect(machine.primary.openSpan?.reserved).toMatchObject({ tokens: 12, input: 10 });
    expect(machine.primary.steps).toBe(steps);
  });

  it('holds its share of the budget, beside what the reply took', () => {
    const machine = replying();
    machine.step(begin);
    const room = (max_model_calls: number) =>
      grant(machine.state, { ...machine.spec, budget: { type: 'limit', max_model_calls } }, begin.estimate);
    expect(room(2)).toBeNull();
    expect(room(3)).not.toBeNull();
  });

  it('is begun for a reply, and once', () => {
    const machine = replying();
    expect(machine.step(begin)).toHaveLength(1);
    expect(machine.step(begin)).toEqual([]);
    const before = new Machine();
    before.send(message);
    expect(before.step(begin)).toEqual([]);
  });

  it('ends before what it judged is on the log', () => {
    const machine = replying();
    machine.step(begin);
    const verdict = { verdict: 'allow' as const, reason: 'as asked' };
    const judged = { verdicts: [verdict], took: USAGE, failed: false };
    const entries = machine.step(reply([{ ...edit, verdict }], { judged }));
    const end = 'span.model_request_end';
    expect(typesOf(entries)).toEqual([end, 'agent.tool_use', end]);
    expect(entries[0]).toMatchObject({
      event: { is_error: false, model_usage: USAGE },
      note: { judged: [verdict], bill: { kind: 'permission', usage: USAGE } },
    });
    expect(machine.primary).toMatchObject({ judging: null, openSpan: null, contextTokens: 12 });
    expect(machine.state.spent.modelCalls).toBe(2);
  });

  it('ends with its process, and is paid for with the reply it was asked about', () => {
    const machine = replying();
    machine.step(begin);
    const entries = machine.do({ kind: 'recovered', drafts: [] });
    const bills = entries.flatMap(({ note }) => (note?.bill ? [note.bill] : []));
    expect(bills).toMatchObject([
      { kind: 'permission', estimated: true, usage: { input_tokens: 50 } },
      { kind: 'model', estimated: true, usage: { input_tokens: 10, output_tokens: 0 } },
    ]);
    expect(machine.primary).toMatchObject({ judging: null, openSpan: null, status: 'rescheduling' });
  });

  it('is not what a fork pays for: its source asked', () => {
    const machine = replying();
    machine.step(begin);
    const entries = machine.do({ kind: 'forked', whole: true });
    expect(typesOf(entries).filter((type) => type === 'span.model_request_end')).toHaveLength(2);
    expect(entries.filter(({ note }) => note?.bill)).toEqual([]);
    expect(machine.primary).toMatchObject({ judging: null, openSpan: null, status: 'idle' });
  });
});

describe('a call under the policy auto', () => {
  it('that nobody has judged is asked about', () => {
    const use = useOf(replying().step(reply([edit])));
    expect(use).toMatchObject({
      evaluated_permission: 'ask',
      evaluation: { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } },
      capstan: { input_sha256: 'abc' },
    });
  });

  it('has no need of a verdict that was meant for another policy', () => {
    const verdict = { verdict: 'allow' as const, reason: 'fine' };
    const machine = replying();
    const asking = machine.step(reply([{ ...edit, name: 'write', verdict }]));
    expect(useOf(asking)).toMatchObject({ evaluated_permission: 'ask', evaluation: { type: 'always_ask' } });
    const unknown = replying().step(reply([{ ...edit, name: 'grep', verdict }]));
    expect(useOf(unknown)).toMatchObject({ evaluated_permission: 'deny' });
    expect(useOf(unknown)).not.toHaveProperty('evaluation');
  });
});
