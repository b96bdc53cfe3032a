// The plan of a workflow run, as an agent writes it in a call: phases come one after the other, the steps of a phase at the
// same time. What a plan refers to is in it, before the place that refers to it: a plan that is taken can be followed.
import { z } from 'zod';
import { newAgent } from './engine-tools.ts';

export const MAX_PHASES = 50;
/** Threads that one run creates. */
export const MAX_RUN_THREADS = 1_000;
/** Of a plan, as JSON in UTF-8: the whole of it stands in one row of the log. */
export const MAX_PLAN_BYTES = 100_000;

const named = {
  name: z.string().min(1).max(64),
  description: z.string().max(256).nullish(),
};

const step = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1-64 letters, digits, "_" or "-"'),
  /** Name or id of an agent of the list. Models write null where they mean to leave it out. */
  agent: z.string().nullish(),
  new_agent: newAgent.nullish(),
  message: z.string().min(1, 'must not be empty'),
  /** One thread for each, with `{{item}}` in the message. */
  for_each: z.array(z.string()).max(MAX_RUN_THREADS).nullish(),
  /** The same over the result of an earlier step: a JSON list of strings. */
  for_each_of: z.string().nullish(),
});
export type StepParam = z.infer<typeof step>;

const phase = z.object({ ...named, steps: z.array(step).min(1).max(MAX_RUN_THREADS) });

export const workflowPlan = z
  .object({
    ...named,
    name: named.name.nullish(),
    phases: z.array(phase).min(1).max(MAX_PHASES),
  })
  .superRefine((plan, context) => {
    const earlier = new Map<string, StepParam>();
    for (const [at, { steps }] of plan.phases.entries()) {
      const ids = steps.map(({ id }) => id);
      for (const [index, one] of steps.entries()) {
        const taken = earlier.has(one.id) || ids.indexOf(one.id) < index;
        const problem = taken
          ? { member: 'id', message: `another step has the id "${one.id}" already` }
          : problemOf(one, earlier);
        if (problem === null) continue;
        const path = ['phases', at, 'steps', index, problem.member];
        context.addIssue({ code: 'custom', path, message: problem.message });
      }
      for (const one of steps) earlier.set(one.id, one);
    }
  });
export type PlanParam = z.infer<typeof workflowPlan>;

export const stopWorkflowInput = z.object({ workflow_run_id: z.string() });
export const checkWorkflowInput = z.object({ workflow_run_id: z.string().nullish() });

/** `{{steps.ID}}`: what a step came to. `{{item}}`: of the list that the step is for. */
export const PLACEHOLDER = /\{\{\s*(?:steps\.([A-Za-z0-9_-]{1,64})|(item))\s*\}\}/g;

interface Problem {
  member: keyof StepParam;
  message: string;
}

/** What a step cannot be followed for; null: nothing. `earlier`: the steps of the phases before. */
function problemOf(one: StepParam, earlier: ReadonlyMap<string, StepParam>): Problem | null {
  const { agent, new_agent, message, for_each, for_each_of } = one;
  if (Boolean(agent) === Boolean(new_agent)) {
    return { member: 'agent', message: 'name either `agent` or `new_agent`' };
  }
  if (for_each && for_each_of) {
    return { member: 'for_each', message: 'give either `for_each` or `for_each_of`' };
  }
  const known = [...earlier.keys()].join(', ') || 'none';
  if (for_each_of && !earlier.has(for_each_of)) {
    return {
      member: 'for_each_of',
      message: `no step "${for_each_of}" in an earlier phase; there are: ${known}`,
    };
  }
  const listed = for_each_of ? earlier.get(for_each_of) : undefined;
  if (listed?.for_each || listed?.for_each_of) {
    const why = `the step "${listed.id}" has a result for each of its items, and no single list`;
    return { member: 'for_each_of', message: why };
  }
  for (const [, id, item] of message.matchAll(PLACEHOLDER)) {
    if (item && !for_each && !for_each_of) {
      return { member: 'message', message: '{{item}} is only there with `for_each` or `for_each_of`' };
    }
    if (id && !earlier.has(id)) {
      return {
        member: 'message',
        message: `{{steps.${id}}} is no step of an earlier phase; there are: ${known}`,
      };
    }
  }
  return null;
}
