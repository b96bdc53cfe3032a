// Reading whom an agent may call, in either form it is written in.
import type { Advisor } from './multiagent.ts';

type Off = { type: 'disabled' };
type On = { type: 'enabled' };
/** Agents to work with: in threads that are begun one by one, or in those of workflow runs. */
export type Workers<T> = (On & { inline_agents: On | Off; predefined_agents: T[] }) | Off;

/** Both forms; `T` is what stands for an agent that may be called. */
export type Crew<T> =
  | { type: 'coordinator'; agents: (T | Advisor)[] }
  | {
      type: 'multiagent_20261001';
      advisor: (On & { model: string }) | Off;
      subagents: Workers<T>;
      workflows: Workers<T>;
    };

/** The agents that may be called, in their order: a thread names its agent by its place here. */
export function rosterOf<T extends { type: 'agent' | 'self' }>(crew: Crew<T> | null): T[] {
  if (crew === null) return [];
  if (crew.type === 'coordinator') return crew.agents.filter((entry) => !isAdvisor(entry));
  return listOf(crew.subagents);
}

/** The agents that the plan of a workflow run may name, in their order. */
export function workflowRosterOf<T>(crew: Crew<T> | null): T[] {
  return crew?.type === 'multiagent_20261001' ? listOf(crew.workflows) : [];
}

/** All of both lists: an agent that is in both is there twice. */
export function calledBy<T extends { type: 'agent' | 'self' }>(crew: Crew<T> | null): T[] {
  return [...rosterOf(crew), ...workflowRosterOf(crew)];
}

/** How it may start workflow runs. */
export function workflowsOf<T>(crew: Crew<T> | null): Workers<T> {
  return crew?.type === 'multiagent_20261001' ? crew.workflows : { type: 'disabled' };
}

/** The model that may be asked for advice; null: there is none. */
export function advisorOf<T extends { type: 'agent' | 'self' }>(crew: Crew<T> | null): string | null {
  if (crew === null) return null;
  if (crew.type === 'coordinator') return crew.agents.find(isAdvisor)?.model ?? null;
  return crew.advisor.type === 'enabled' ? crew.advisor.model : null;
}

/** Whether it may write agents of its own, and call those. */
export function definesAgents(crew: Crew<unknown> | null): boolean {
  if (crew?.type !== 'multiagent_20261001' || crew.subagents.type !== 'enabled') return false;
  return crew.subagents.inline_agents.type === 'enabled';
}

/** The same with what `change` makes of each agent that may be called. */
export function withCalled<T extends { type: 'agent' | 'self' }, U>(
  crew: Crew<T>,
  change: (agent: T) => U,
): Crew<U> {
  if (crew.type === 'coordinator') {
    return { ...crew, agents: crew.agents.map((entry) => (isAdvisor(entry) ? entry : change(entry))) };
  }
  return {
    ...crew,
    subagents: changed(crew.subagents, change),
    workflows: changed(crew.workflows, change),
  };
}

function changed<T, U>(workers: Workers<T>, change: (agent: T) => U): Workers<U> {
  if (workers.type === 'disabled') return workers;
  return { ...workers, predefined_agents: workers.predefined_agents.map(change) };
}

function listOf<T>(workers: Workers<T>): T[] {
  return workers.type === 'enabled' ? workers.predefined_agents : [];
}

function isAdvisor<T extends { type: 'agent' | 'self' }>(entry: T | Advisor): entry is Advisor {
  return entry.type === 'advisor';
}
