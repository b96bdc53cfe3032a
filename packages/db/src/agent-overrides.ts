// What a session changes of its agent as it is created: for itself alone, in its own copy.
import { requireConsistent } from '@capstan/schema/agent-rules';
import type { AgentSnapshot, ThreadAgent } from '@capstan/schema/agents';
import { withCalled } from '@capstan/schema/roster';
import type { SkillParam } from '@capstan/schema/skills';
import type { Scope } from './scope.ts';
import { pinSkills } from './skill-pins.ts';

type Parts = Partial<Pick<ThreadAgent, 'model' | 'system' | 'tools' | 'mcp_servers' | 'skills'>>;

/** What is absent stays; what is given replaces the whole. Skills are looked up when the session is created. */
export type AgentOverrides = Omit<Parts, 'skills'> & { skills?: SkillParam[] };

/** The overrides of `agent`, whose skills stay in the versions they have. Refuses what `pinSkills` refuses. */
export async function pinned(
  scope: Scope,
  agent: AgentSnapshot,
  { skills, ...rest }: AgentOverrides,
): Promise<Parts> {
  return skills === undefined ? rest : { ...rest, skills: await pinSkills(scope, skills, agent.skills) };
}

/** The agent with them, and where it may call itself that copy too. Refuses (`invalid_request`) parts that do not fit. */
export function overridden(agent: AgentSnapshot, overrides: Parts): AgentSnapshot {
  const own = { ...agent, ...overrides };
  requireConsistent(own, 'agent.');
  const { multiagent } = agent;
  if (multiagent === null) return own;
  const called = withCalled(multiagent, (entry) =>
    entry.id === agent.id && entry.version === agent.version ? { ...entry, ...overrides } : entry,
  );
  return { ...own, multiagent: called };
}
