import { describe, expect, it } from 'vitest';
import { MAX_PHASES, workflowPlan } from './workflow-plans.ts';

const step = (id: string, more: Record<string, unknown> = {}) => ({
  id,
  agent: 'scout',
  message: 'Go.',
  ...more,
});
const phases = (...all: unknown[][]) => all.map((steps, at) => ({ name: `Phase ${at}`, steps }));
const problems = (plan: unknown) =>
  workflowPlan.safeParse(plan).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ??
  [];

describe('the plan of a workflow run', () => {
  it('may refer to the steps of earlier phases, and to the item of its list', () => {
    const second = [
      step('b', { message: 'Read {{steps.a}} and {{ steps.a }}, {{ other }} and {{x}}.' }),
      step('c', { for_each_of: 'a', message: '{{item}}' }),
      step('d', { for_each: ['x'], agent: null, new_agent: { name: 'n', system: 's', description: null } }),
    ];
    expect(problems({ name: null, phases: phases([step('a')], second) })).toEqual([]);
  });

  it.each([
    ['no phases', { phases: [] }, /^phases: /],
    ['a phase without steps', { phases: phases([]) }, /^phases\.0\.steps: /],
    ['a name too long', { name: 'x'.repeat(65), phases: phases([step('a')]) }, /^name: /],
    [
      'a description too long',
      { description: 'x'.repeat(257), phases: phases([step('a')]) },
      /^description: /,
    ],
    ['too many phases', { phases: phases(...Array.from({ length: MAX_PHASES + 1 }, () => [])) }, /^phases: /],
    ['an id that no placeholder can name', { phases: phases([step('a b')]) }, /steps\.0\.id: must be 1-64/],
    ['an id twice', { phases: phases([step('a')], [step('a')]) }, /^phases\.1\.steps\.0\.id: another step/],
    [
      'an id twice in a phase',
      { phases: phases([step('a'), step('a')]) },
      /^phases\.0\.steps\.1\.id: another/,
    ],
    ['nobody to do it', { phases: phases([step('a', { agent: null })]) }, /agent: name either/],
    [
      'two to do it',
      { phases: phases([step('a', { new_agent: { name: 'n', system: 's' } })]) },
      /agent: name either/,
    ],
    [
      'a step of the same phase',
      { phases: phases([step('a'), step('b', { message: '{{steps.a}}' })]) },
      /{{steps\.a}} is no step of an earlier phase; there are: none/,
    ],
    [
      'a step that is not there',
      { phases: phases([step('a')], [step('b', { message: '{{steps.z}}' })]) },
      /there are: a$/,
    ],
    [
      'an item without a list',
      { phases: phases([step('a', { message: '{{item}}' })]) },
      /message: {{item}} is only/,
    ],
    [
      'a list of a later step',
      { phases: phases([step('a', { for_each_of: 'b' })], [step('b')]) },
      /for_each_of: no step "b"/,
    ],
    [
      'a list of a step that has many results',
      { phases: phases([step('a', { for_each: ['x'] })], [step('b', { for_each_of: 'a' })]) },
      /for_each_of: .* no single list/,
    ],
    [
      'two lists',
      { phases: phases([step('a')], [step('b', { for_each: ['x'], for_each_of: 'a' })]) },
      /for_each: give either/,
    ],
  ])('has not %s', (_what, plan, message) => {
    expect(problems(plan)).toEqual([expect.stringMatching(message)]);
  });
});
