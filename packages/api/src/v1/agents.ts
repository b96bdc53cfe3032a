// Agents over HTTP. Defaults are filled in here, so a stored version says everything about itself.
import type { AgentChange, AgentSettings, ModelChange } from '@capstan/db/agent-settings';
import { stores } from '@capstan/db/stores';
import {
  agentRoutes,
  type CreateAgent,
  type Model,
  type ModelParam,
  type UpdateAgent,
} from '@capstan/schema/agents';
import type { Reach } from '@capstan/shared/safe-fetch';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { toMcpServers } from './mcp-servers.ts';
import { fillTools } from './tools.ts';

export function mountAgents(surface: Surface): void {
  const { db, reach } = surface.ports;

  mount(surface, agentRoutes.create, async ({ principal, body, claim, head, now }) => {
    const { agents, receipts } = stores(db, principal.tenantId);
    const input = { settings: toSettings(body, reach), metadata: body.metadata ?? {}, now };
    return answer(await receipts.once(claim, now, (kept) => agents.create(input, kept)), head);
  });

  mount(surface, agentRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).agents.list({
      limit: query.limit,
      page: query.page,
      includeArchived: query.include_archived,
      created: query,
    }),
  );

  mount(surface, agentRoutes.retrieve, ({ principal, params, query }) =>
    stores(db, principal.tenantId).agents.retrieve(params.agent_id, query.version),
  );

  mount(surface, agentRoutes.update, async ({ principal, params, body, claim, head, now }) => {
    const { agents, receipts } = stores(db, principal.tenantId);
    const input = { change: toChange(body, reach), expected: body.version, now };
    const update = (kept: typeof claim) => agents.update(params.agent_id, input, kept);
    return answer(await receipts.once(claim, now, update), head);
  });

  mount(surface, agentRoutes.versions, ({ principal, params, query }) =>
    stores(db, principal.tenantId).agents.versions(params.agent_id, query),
  );

  mount(surface, agentRoutes.archive, ({ principal, params, now }) =>
    stores(db, principal.tenantId).agents.archive(params.agent_id, now),
  );

  mount(surface, agentRoutes.delete, async ({ principal, params: { agent_id: id }, now }) => {
    await stores(db, principal.tenantId).agents.delete(id, now);
    return { id, type: 'agent_deleted' as const };
  });
}

function toSettings(body: CreateAgent, reach: Reach): AgentSettings {
  return {
    name: body.name,
    description: body.description || null,
    model: toModel(body.model),
    system: body.system || null,
    tools: fillTools(body.tools ?? []),
    mcp_servers: toMcpServers(body.mcp_servers ?? [], reach),
    skills: body.skills ?? [],
    multiagent: body.multiagent ?? null,
    execution_identity: { type: 'service_account' },
    ...(body.capstan && { capstan: body.capstan }),
  };
}

/** Null clears what may be empty. */
function toChange(body: UpdateAgent, reach: Reach): AgentChange {
  const { name, model, description, system, tools, mcp_servers: servers, skills } = body;
  const { metadata, multiagent, capstan } = body;
  return {
    ...(name !== undefined && { name }),
    ...(model !== undefined && { model: toModelChange(model) }),
    ...(description !== undefined && { description: description || null }),
    ...(system !== undefined && { system: system || null }),
    ...(tools !== undefined && { tools: fillTools(tools ?? []) }),
    ...(servers !== undefined && { mcp_servers: toMcpServers(servers ?? [], reach) }),
    ...(skills !== undefined && { skills: skills ?? [] }),
    ...(metadata && { metadata }),
    ...(multiagent !== undefined && { multiagent }),
    ...(capstan !== undefined && { capstan }),
  };
}

function toModelChange(param: ModelParam): ModelChange {
  const cleared = typeof param !== 'string' && param.effort === null;
  return { ...toModel(param), ...(cleared && { effort: null }) };
}

export function toModel(param: ModelParam): Model {
  if (typeof param === 'string') return { id: param };
  const { id, speed, inference_geo, effort } = param;
  return {
    id,
    ...(speed && { speed }),
    ...(inference_geo && { inference_geo }),
    ...(effort && { effort: typeof effort === 'string' ? { type: effort } : effort }),
  };
}
