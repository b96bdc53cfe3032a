// An agent that may start workflow runs, in a world: plans, and what its log tells of runs.
import type { AgentSnapshot, ThreadAgent } from '@capstan/schema/agents';
import type { SessionEvent } from '@capstan/schema/events';
import { use } from '../scripted-harness.ts';
import { World } from '../testing.ts';
import { Crew, message, PRIMARY } from './crew.ts';

const off = { type: 'disabled' as const };
const on = { type: 'enabled' as const };

/** Plans may name `scout` and `scribe`, and describe others. */
export function startingRuns(inline: 'enabled' | 'disabled' = 'enabled'): Pick<AgentSnapshot, 'multiagent'> {
  const { multiagent: _, ...own } = new World().spec.agent;
  const agents = ['scout', 'scribe'].map((name): ThreadAgent => ({ ...own, id: `agent_${name}`, name }));
  const workflows = { ...on, inline_agents: { type: inline }, predefined_agents: agents };
  return { multiagent: { type: 'multiagent_20261001', advisor: off, subagents: off, workflows } };
}

type StepInput = Record<string, unknown> & { id: string; message: string };

/** A plan: each list is a phase. Steps are scout's where they do not say. */
export function planOf(...phases: StepInput[][]) {
  return {
    name: 'Survey',
    phases: phases.map((steps, index) => ({
      name: `Part ${index + 1}`,
      steps: steps.map((step) => ({ ...('new_agent' in step ? {} : { agent: 'scout' }), ...step })),
    })),
  };
}

export class Flows extends Crew {
  static async begin(change = startingRuns()): Promise<Flows> {
    const { world } = await Crew.open(change);
    return new Flows(world, await world.open());
  }

  /** Told to start, the agent begins a run by the plan and rests. Its id. */
  async starts(plan: Record<string, unknown>): Promise<string> {
    await this.send(message('go'));
    (await this.model(PRIMARY)).settle([use('start_workflow', plan)]);
    await this.says(PRIMARY, 'I wait.');
    return this.lastRun();
  }

  async lastRun(): Promise<string> {
    return (await this.told('workflow_run.created')).at(-1)?.workflow_run_id ?? '';
  }

  async told<T extends SessionEvent['type']>(type: T): Promise<Extract<SessionEvent, { type: T }>[]> {
    const wanted = (event: SessionEvent): event is Extract<SessionEvent, { type: T }> => event.type === type;
    return (await this.events()).filter(wanted);
  }

  /** What is told of runs, in its order, without the family's name. */
  async course(): Promise<string[]> {
    const types = await this.types();
    return types.flatMap((type) =>
      type.startsWith('workflow_run.') ? [type.slice('workflow_run.'.length)] : [],
    );
  }

  /** What the last call of a tool was answered. */
  async answer(): Promise<{ text: string; isError: boolean }> {
    const last = (await this.told('agent.tool_result')).at(-1);
    const text = (last?.content ?? []).map((block) => (block.type === 'text' ? block.text : '')).join('');
    return { text, isError: last?.is_error ?? false };
  }
}
