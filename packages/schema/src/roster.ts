// Reading whom an agent may call, in either form it is written in.
import type { Advisor } from './multiagent.ts';

type Off = { type: 'disabled' };
type On = { type: 'enabled' };

/** Both forms; `T` is what stands for an agent that may be called. */
export type Crew<T> =
  | { type: 'coordinator'; agents: (T | Advisor)[] }
  | {
      type: 'multiagent_20261001';
      advisor: (On & { model: string }) | Off;
      subagents: (On & { inline_agents: On | Off; predefined_agents: T[] }) | Off;
      workflows: Off;
    };

/** The agents that may be called, in their order: a thread names its agent by its place here. */
export function rosterOf<T extends { type: 'agent' | 'self' }>(crew: Crew<T> | null): T[] {
  if (crew === null) return [];
  if (crew.type === 'coordinator') return crew.agents.filter((entry) => !isAdvisor(entry));
  return crew.subagents.type === 'enabled' ? crew.subagents.predefined_agents : [];
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

/** The same with another roster in its place. */
export function withRoster<T extends { type: 'agent' | 'self' }, U>(crew: Crew<T>, roster: U[]): Crew<U> {
  if (crew.type === 'coordinator') {
    return { type: 'coordinator', agents: [...roster, ...crew.agents.filter(isAdvisor)] };
  }
  const { subagents } = crew;
  return {
    ...crew,
    subagents: subagents.type === 'enabled' ? { ...subagents, predefined_agents: roster } : subagents,
  };
}

function isAdvisor<T extends { type: 'agent' | 'self' }>(entry: T | Advisor): entry is Advisor {
  return entry.type === 'advisor';
}
