// The tools by which the session's agent has workflow runs: it begins one by a plan, asks where it stands, and stops it. A
// call is answered at once; what a run comes to is told when it has ended.
import type { AgentSnapshot, ThreadAgent } from '@capstan/schema/agents';
import { ADVISOR_NAME } from '@capstan/schema/multiagent';
import { type Workers, workflowsOf } from '@capstan/schema/roster';
import {
  checkWorkflowInput,
  MAX_PLAN_BYTES,
  type PlanParam,
  type StepParam,
  stopWorkflowInput,
  workflowPlan,
} from '@capstan/schema/workflow-plans';
import { MAX_RELAYED } from '../delegation.ts';
import { type Entry, made, noted } from '../entry.ts';
import type { Context } from '../frame.ts';
import type { EngineTool, ModelOutput } from '../harness.ts';
import type { ThreadState } from '../state.ts';
import { agentNow } from '../thread.ts';
import { runById } from './evolve-run.ts';
import { CHECK_WORKFLOW, START_WORKFLOW, STOP_WORKFLOW, startTool, TOOLS } from './offer.ts';
import { reportOf, standingOf } from './report.ts';
import { MAX_OPEN_RUNS, type Plan, type PlannedStep, type StepOwner } from './run.ts';
import { endRun } from './run-end.ts';

type Call = Extract<ModelOutput, { type: 'tool_call' }> & { id: string };

/** What a thread is offered: nothing where its agent may start no runs, or for a child. */
export function workflowTools(
  { multiagent }: Pick<AgentSnapshot, 'multiagent'>,
  thread: ThreadState,
): EngineTool[] {
  const workers = workflowsOf(multiagent);
  if (thread.parentId !== null || workers.type === 'disabled') return [];
  return [startTool(workers), ...TOOLS];
}

/** What a call brings about, and what it is answered. */
export interface Done {
  entries: Entry[];
  answer: { text: string; isError: boolean };
}

/** Null: it is another tool's call, or has no input. */
export function workflowCall(context: Context, thread: ThreadState, call: Call): Done | null {
  const offered = workflowTools(agentNow(context), thread);
  if (call.server !== undefined || !offered.some(({ name }) => name === call.name)) return null;
  if (call.input === null) return null;
  switch (call.name) {
    case START_WORKFLOW:
      return start(context, call.input);
    case CHECK_WORKFLOW:
      return check(context, call.input);
    case STOP_WORKFLOW:
      return stop(context, call.input);
    default:
      return null;
  }
}

function refused(text: string, entries: Entry[] = []): Done {
  return { entries, answer: { text, isError: true } };
}

function answered(text: string, entries: Entry[] = []): Done {
  return { entries, answer: { text, isError: false } };
}

/** What is read of a call's input; a schema of ours, without its library. */
interface Readable<T> {
  safeParse(
    input: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } };
}

type Read<T> = { value: T } | { problem: string };

function read<T>(schema: Readable<T>, input: Record<string, unknown>): Read<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return { value: parsed.data };
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`);
  return { problem: `${issues.slice(0, 10).join('; ')}.` };
}

function start(context: Context, input: Record<string, unknown>): Done {
  const { state, stamp } = context;
  const size = new TextEncoder().encode(JSON.stringify(input)).length;
  if (size > MAX_PLAN_BYTES)
    return refusedPlan(context, `it has ${size} bytes as JSON, and may have ${MAX_PLAN_BYTES}.`);
  const parsed = read(workflowPlan, input);
  if ('problem' in parsed) return refusedPlan(context, parsed.problem);
  const plan = planned(workflowsOf(agentNow(context).multiagent), parsed.value);
  if (typeof plan === 'string') return refusedPlan(context, plan);
  if (state.runs.length >= MAX_OPEN_RUNS) {
    const message = `The session has ${MAX_OPEN_RUNS} open workflow runs, which is its limit.`;
    const error = { type: 'max_workflow_runs_error' as const, message };
    const told = made(stamp, 'workflow_run.error', { workflow_run_id: null, error });
    return refused(`${message} Wait until one has ended, or stop one.`, [told]);
  }
  if (state.relayed >= MAX_RELAYED) {
    return refused(
      'The agents have worked long without a word from the user. End your turn and say where the work stands.',
    );
  }
  return begun(context, parsed.value, plan);
}

function begun({ stamp }: Context, param: PlanParam, plan: Plan): Done {
  const id = stamp.newId('workflowRun');
  const name = param.name ?? 'Workflow run';
  const phases = param.phases.map((phase) => ({
    id: stamp.newId('workflowRunPhase'),
    name: phase.name,
    description: phase.description ?? null,
  }));
  const body = { workflow_run_id: id, name, description: param.description ?? null, phases };
  const created = noted(made(stamp, 'workflow_run.created', body), { plan });
  const text =
    `The workflow run "${name}" has begun: ${id}. What its steps came to is told in a message when it has ended, also after ` +
    'your turn. End your turn when there is nothing to do but wait.';
  return answered(text, [created]);
}

/** It is told to clients too, without what the plan says. */
function refusedPlan({ stamp }: Context, problem: string): Done {
  const error = { type: 'program_error' as const, message: 'The plan was refused: it cannot be followed.' };
  const told = made(stamp, 'workflow_run.error', { workflow_run_id: null, error });
  return refused(`No run was started: the plan cannot be followed. ${problem}`, [told]);
}

function planned(workers: Workers<ThreadAgent>, { phases }: PlanParam): Plan | string {
  const problems: string[] = [];
  const plan = phases.map(({ name, steps }) => ({
    name,
    steps: steps.flatMap((step): PlannedStep[] => {
      const found = ownerOf(workers, step);
      if (typeof found !== 'string') return [toStep(step, found)];
      problems.push(`The step "${step.id}": ${found}`);
      return [];
    }),
  }));
  return problems.length === 0 ? { phases: plan } : problems.slice(0, 10).join(' ');
}

interface Found {
  name: string;
  owner: StepOwner;
}

function toStep({ id, message, for_each, for_each_of }: StepParam, found: Found): PlannedStep {
  const items = for_each_of ? { of: for_each_of } : (for_each ?? null);
  return { id, message, items, ...found };
}

/** Who is to do it, or the words that say why there is nobody. */
function ownerOf(
  workers: Workers<ThreadAgent>,
  { agent: wanted, new_agent: words }: StepParam,
): Found | string {
  if (workers.type === 'disabled') return 'this agent may start no workflow runs.';
  if (words) {
    if (workers.inline_agents.type === 'disabled')
      return 'this agent may describe no agents of its own; name one.';
    const { name, system, description = null } = words;
    if (name === ADVISOR_NAME) return `the name ${ADVISOR_NAME} is taken.`;
    return { name, owner: { inline: { name, system, description } } };
  }
  const member = workers.predefined_agents.findIndex(({ id, name }) => id === wanted || name === wanted);
  const agent = workers.predefined_agents[member];
  if (agent !== undefined) return { name: agent.name, owner: { member } };
  const names = workers.predefined_agents.map(({ name }) => name).join(', ');
  const inline = workers.inline_agents.type === 'enabled' ? ' Or describe one as `new_agent`.' : '';
  return `there is no agent "${wanted}". There are: ${names || 'none'}.${inline}`;
}

function check({ state }: Context, input: Record<string, unknown>): Done {
  const parsed = read(checkWorkflowInput, input);
  if ('problem' in parsed) return refused(parsed.problem);
  const { workflow_run_id: id } = parsed.value;
  const runs = state.runs.filter((run) => !id || run.id === id);
  if (runs.length > 0) return answered(runs.map((run) => standingOf(state, run)).join('\n'));
  return id ? noRun({ state }, id) : answered('No workflow run is open.');
}

function stop(context: Context, input: Record<string, unknown>): Done {
  const parsed = read(stopWorkflowInput, input);
  if ('problem' in parsed) return refused(parsed.problem);
  const { workflow_run_id: id } = parsed.value;
  const run = runById(context.state, id);
  if (run === null) return noRun(context, id);
  const result = { type: 'stopped' as const };
  const text = 'Stopped: the agent stopped its workflow run.';
  return answered(reportOf(run, result), endRun(context, run, { result, reports: false, text }));
}

function noRun({ state }: Pick<Context, 'state'>, id: string): Done {
  const open = state.runs.map(({ id, name }) => `${id} (${name})`).join(', ');
  return refused(`No workflow run ${id} is open. There are: ${open || 'none'}.`);
}
