// Sessions over HTTP. What a session is stands in the database; what is true of it now, only the session knows.
import { toSession } from '@capstan/db/session-resource';
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import { type CreateSession, sessionRoutes } from '@capstan/schema/sessions';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountSessions(surface: Surface): void {
  const { db, sessions } = surface.ports;

  const find = async (tenantId: string, sessionId: string) => {
    const row = await stores(db, tenantId).sessions.find(sessionId);
    if (row) return row;
    throw new ApiError('not_found', `No session ${sessionId}`);
  };

  mount(surface, sessionRoutes.create, async ({ principal, body, claim, head, now }) => {
    const { sessions, receipts } = stores(db, principal.tenantId);
    const input = {
      agent: toReference(body),
      environmentId: body.environment_id ?? null,
      title: body.title ?? null,
      metadata: body.metadata ?? {},
      now,
    };
    return answer(await receipts.once(claim, now, (kept) => sessions.create(input, kept)), head);
  });

  mount(surface, sessionRoutes.list, ({ principal, query, now }) => {
    // No session of this server belongs to a deployment or has a memory store.
    const none = query.deployment_id !== undefined || query.memory_store_id !== undefined;
    if (none) return { data: [], next_page: null, prev_page: null };
    return stores(db, principal.tenantId).sessions.list(
      {
        limit: query.limit,
        page: query.page,
        order: query.order,
        includeArchived: query.include_archived,
        agentId: query.agent_id,
        agentVersion: query.agent_version,
        created: query,
        statuses: query.statuses,
      },
      now,
    );
  });

  mount(surface, sessionRoutes.retrieve, async ({ principal: { tenantId }, params, now }) => {
    const sessionId = params.session_id;
    const row = await find(tenantId, sessionId);
    return toSession(row, await sessions.view({ tenantId, sessionId }), now);
  });

  mount(surface, sessionRoutes.archive, async ({ principal: { tenantId }, params, now }) => {
    const sessionId = params.session_id;
    const row = await find(tenantId, sessionId);
    return toSession(row, await sessions.archive({ tenantId, sessionId }), now);
  });

  mount(surface, sessionRoutes.delete, async ({ principal: { tenantId }, params }) => {
    const sessionId = params.session_id;
    await find(tenantId, sessionId);
    await sessions.delete({ tenantId, sessionId });
    // The session removes its row as well, should this process die here: lists forget it now.
    await stores(db, tenantId).sessions.remove(sessionId);
    return { id: sessionId, type: 'session_deleted' as const };
  });
}

function toReference({ agent, agent_id }: CreateSession): { id: string; version?: number | undefined } {
  const reference = typeof agent === 'string' ? { id: agent } : agent;
  if (reference === undefined) {
    if (agent_id !== undefined) return { id: agent_id };
    throw new ApiError('invalid_request', 'agent: required');
  }
  if (agent_id !== undefined && agent_id !== reference.id) {
    throw new ApiError('invalid_request', 'agent_id: names another agent than `agent`; send one of them');
  }
  return reference;
}
