import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelOutput } from './harness.ts';
import { say, use } from './scripted-harness.ts';
import { denialOf, JUDGE, toEvaluation, verdictsOf } from './verdicts.ts';

const given = (...verdicts: unknown[]) => use(JUDGE, { verdicts });
const one = (call: number, verdict: string, reason = 'because') => ({ call, verdict, reason });
const words = (outputs: readonly ModelOutput[], count = 1) =>
  verdictsOf(outputs, count).map(({ verdict }) => verdict);

describe('a verdict', () => {
  it('is what the judge says of the call with that number', () => {
    const outputs = [given(one(2, 'deny', 'it deletes'), one(1, 'allow', 'it reads'))];
    expect(verdictsOf(outputs, 2)).toEqual([
      { verdict: 'allow', reason: 'it reads' },
      { verdict: 'deny', reason: 'it deletes' },
    ]);
  });

  it.each<[string, ModelOutput[]]>([
    ['is not there', []],
    ['is words', [say('{"verdicts":[{"call":1,"verdict":"allow","reason":"ok"}]}')]],
    ['is of no call that was asked about', [given(one(2, 'allow'))]],
    ['is given twice', [given(one(1, 'allow'), one(1, 'allow'))]],
    ['is no word of the three', [given(one(1, 'ALLOW'))]],
    ['has no reason', [given({ call: 1, verdict: 'allow' })]],
    ['names its call in words', [given({ call: '1', verdict: 'allow', reason: 'ok' })]],
    ['stands beside one that cannot be read', [given(one(1, 'allow'), { call: 2 })]],
    ['is given in two calls', [given(one(1, 'allow')), given(one(1, 'deny'))]],
    ['is given beside another call', [given(one(1, 'allow')), use('bash', { command: 'ls' })]],
    ['is given to another tool', [use('judge', { verdicts: [one(1, 'allow')] })]],
    ['comes from a server', [{ ...given(one(1, 'allow')), server: 'crm' } as ModelOutput]],
    ['is no JSON', [{ type: 'tool_call', name: JUDGE, input: null, problem: 'no JSON' }]],
  ])('that %s is a question', (_, outputs) => {
    expect(words(outputs)).toEqual(['ask']);
  });

  it('allows nothing but what the judge has plainly allowed, whatever comes back', () => {
    const anything = fc.oneof(
      fc.record({
        call: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.jsonValue()),
        verdict: fc.oneof(fc.constantFrom('allow', 'deny', 'ask', 'Allow', ' allow'), fc.jsonValue()),
        reason: fc.oneof(fc.string(), fc.jsonValue()),
      }),
      fc.jsonValue(),
    );
    const arbitrary = fc.oneof(
      fc.array(anything, { maxLength: 4 }).map((verdicts) => use(JUDGE, { verdicts })),
      fc.string().map(say),
    );
    fc.assert(
      fc.property(fc.array(arbitrary, { maxLength: 2 }), fc.nat(3), (outputs, count) => {
        const verdicts = words(outputs, count);
        expect(verdicts).toHaveLength(count);
        const written = JSON.stringify(outputs);
        for (const [index, verdict] of verdicts.entries()) {
          if (verdict === 'ask') continue;
          expect(outputs).toHaveLength(outputs.filter(({ type }) => type === 'message').length + 1);
          expect(written).toContain(`"call":${index + 1},"verdict":"${verdict}"`);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('has a reason of a sentence, however much the judge says', () => {
    const [verdict] = verdictsOf([given(one(1, 'deny', '😀'.repeat(5_000)))], 1);
    expect([...(verdict?.reason ?? '')]).toHaveLength(300);
  });
});

describe('on the wire', () => {
  it('a verdict is the evaluation of the policy auto', () => {
    const type = 'auto';
    expect(toEvaluation({ verdict: 'allow', reason: '' })).toEqual({
      type,
      evaluated_permission: { type: 'allow' },
    });
    expect(toEvaluation({ verdict: 'ask', reason: '' })).toEqual({
      type,
      evaluated_permission: { type: 'ask', reason_code: 'indeterminate' },
    });
    expect(toEvaluation({ verdict: 'deny', reason: '' })).toEqual({
      type,
      evaluated_permission: { type: 'deny', reason_code: 'high_risk' },
    });
    expect(toEvaluation({ verdict: 'deny', reason: '', unfunded: true })).toEqual({
      type,
      evaluated_permission: { type: 'deny', reason_code: 'indeterminate' },
    });
  });

  it('a denial tells the model why', () => {
    expect(denialOf({ verdict: 'deny', reason: 'It deletes a database.' })).toMatch(
      /^Not run: .*high-risk\. It deletes a database\.\n/,
    );
    expect(denialOf({ verdict: 'deny', reason: 'no room.', unfunded: true })).toBe('Not run: no room.');
  });
});
