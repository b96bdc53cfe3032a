// Sessions over HTTP. What a session is stands in the database; what is true of it now, only the session knows.

import type { SessionFilter } from '@capstan/db/session-lists';
import { toSession } from '@capstan/db/session-resource';
import { stores } from '@capstan/db/stores';
import type { AgentTools } from '@capstan/schema/agents';
import type { RouteInput } from '@capstan/schema/route';
import { sessionRoutes, type UpdateSession } from '@capstan/schema/sessions';
import type { SessionChange } from '@capstan/session/service';
import type { Reach } from '@capstan/shared/safe-fetch';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { settleOrLeave } from './blob-settling.ts';
import { requireBudgetable } from './budgetable.ts';
import { toMcpServers } from './mcp-servers.ts';
import { findSession } from './session-row.ts';
import { fillTools } from './tools.ts';

export function mountSessions(surface: Surface): void {
  const { db, blobs, sessions, reach } = surface.ports;

  mount(surface, sessionRoutes.list, ({ principal, query, now }) =>
    stores(db, principal.tenantId).sessions.list(toFilter(query), now),
  );

  mount(surface, sessionRoutes.retrieve, async ({ principal: { tenantId }, params, now }) => {
    const address = { tenantId, sessionId: params.session_id };
    const row = await findSession(db, address);
    return toSession(row, await sessions.view(address), now);
  });

  mount(surface, sessionRoutes.update, async ({ principal: { tenantId }, params, body, now }) => {
    const address = { tenantId, sessionId: params.session_id };
    const row = await findSession(db, address);
    await requireBudgetable(sessions, { tenantId, agent: row.agent, budget: body.budget });
    const view = await sessions.update(address, toChange(body, reach));
    await stores(db, tenantId).sessions.putSettings(row.id, view);
    return toSession(row, view, now);
  });

  mount(surface, sessionRoutes.export, async ({ principal: { tenantId }, params, request, head }) => {
    const address = { tenantId, sessionId: params.session_id };
    const { id } = await findSession(db, address);
    head.headers.set('content-disposition', `attachment; filename="${id}.jsonl"`);
    return request.method === 'HEAD' ? null : sessions.exportLog(address);
  });

  mount(surface, sessionRoutes.prewarm, async ({ principal: { tenantId }, params }) => {
    const address = { tenantId, sessionId: params.session_id };
    const { id } = await findSession(db, address);
    await sessions.prewarm(address);
    return { id, type: 'session_prewarming' as const };
  });

  mount(surface, sessionRoutes.archive, async ({ principal: { tenantId }, params, now }) => {
    const address = { tenantId, sessionId: params.session_id };
    const row = await findSession(db, address);
    return toSession(row, await sessions.archive(address), now);
  });

  mount(surface, sessionRoutes.delete, async ({ principal: { tenantId }, params, now, logger }) => {
    const address = { tenantId, sessionId: params.session_id };
    const { id } = await findSession(db, address);
    await sessions.delete(address);
    // The session removes its row as well, should this process die here: lists forget it now.
    const owed = await stores(db, tenantId).sessions.remove(id, now);
    await settleOrLeave({ db, blobs }, { owed, logger });
    return { id, type: 'session_deleted' as const };
  });
}

/** Null clears, as an empty list does. */
function toAgentTools(
  { tools, mcp_servers: servers }: NonNullable<UpdateSession['agent']>,
  reach: Reach,
): Partial<AgentTools> {
  return {
    ...(tools !== undefined && { tools: fillTools(tools ?? [], 'agent.tools') }),
    ...(servers !== undefined && { mcp_servers: toMcpServers(servers ?? [], reach, 'agent.mcp_servers') }),
  };
}

function toFilter(query: RouteInput<typeof sessionRoutes.list>['query']): SessionFilter {
  return {
    limit: query.limit,
    page: query.page,
    order: query.order,
    includeArchived: query.include_archived,
    agentId: query.agent_id,
    agentVersion: query.agent_version,
    created: query,
    statuses: query.statuses,
    deploymentId: query.deployment_id,
    memoryStoreId: query.memory_store_id,
  };
}

function toChange({ title, metadata, budget, agent }: UpdateSession, reach: Reach): SessionChange {
  return {
    ...(agent && { agent: toAgentTools(agent, reach) }),
    ...(title !== undefined && { title }),
    ...(metadata && { metadata }),
    ...(budget !== undefined && { budget }),
  };
}
