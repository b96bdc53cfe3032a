// The agent a new session names: by its id, in one version, or with what the session has in its place.
import type { AgentOverrides } from '@capstan/db/agent-overrides';
import type { NewSession } from '@capstan/db/new-sessions';
import { ApiError } from '@capstan/schema/error';
import type { AgentReferenceParam, CreateSession } from '@capstan/schema/sessions';
import type { Reach } from '@capstan/shared/safe-fetch';
import { toModel } from './agents.ts';
import { toMcpServers } from './mcp-servers.ts';
import { fillTools } from './tools.ts';

type Overriding = Extract<AgentReferenceParam, { type: 'agent_with_overrides' }>;

/** Refuses (`invalid_request`) none, two different ones, and overrides that cannot be. */
export function toReference({ agent, agent_id }: CreateSession, reach: Reach): NewSession['agent'] {
  const reference = typeof agent === 'string' ? { type: 'agent' as const, id: agent } : agent;
  if (reference === undefined) {
    if (agent_id !== undefined) return { id: agent_id };
    throw new ApiError('invalid_request', 'agent: required');
  }
  const { id, version } = reference;
  if (agent_id !== undefined && agent_id !== id) {
    throw new ApiError('invalid_request', 'agent_id: names another agent than `agent`; send one of them');
  }
  return reference.type === 'agent'
    ? { id, version }
    : { id, version, overrides: toOverrides(reference, reach) };
}

/** Null clears what may be empty. */
function toOverrides(given: Overriding, reach: Reach): AgentOverrides {
  const { model, system, tools, mcp_servers: servers, skills } = given;
  if (model === null) {
    const message = 'agent.model: cannot be cleared; leave it out to keep the model of the agent';
    throw new ApiError('invalid_request', message, { reason: 'agent_model_required' });
  }
  return {
    ...(model !== undefined && { model: withoutEffort(model) }),
    ...(system !== undefined && { system: system || null }),
    ...(tools !== undefined && { tools: fillTools(tools ?? [], 'agent.tools') }),
    ...(servers !== undefined && { mcp_servers: toMcpServers(servers ?? [], reach, 'agent.mcp_servers') }),
    ...(skills !== undefined && { skills: skills ?? [] }),
  };
}

/** Effort belongs to agents: a session's own model works with its default. */
function withoutEffort(param: Parameters<typeof toModel>[0]) {
  const { effort: _, ...model } = toModel(param);
  return model;
}
