// New sessions over HTTP: from an agent, or from another session.
import { toSession } from '@capstan/db/session-resource';
import { stores } from '@capstan/db/stores';
import { ApiError, isApiError } from '@capstan/schema/error';
import { type CreateSession, type ForkSession, sessionRoutes } from '@capstan/schema/sessions';
import type { SessionAddress } from '@capstan/session/address';
import type { Sessions } from '@capstan/session/service';
import { newId } from '@capstan/shared/ids';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { requireBudgetable } from './budgetable.ts';
import { withFiles } from './file-references.ts';
import { copiesOf, toNewResources } from './new-resources.ts';
import { requireVaults } from './required-vaults.ts';
import { findSession } from './session-row.ts';

export function mountNewSessions(surface: Surface): void {
  const { db, blobs, sessions, sealer } = surface.ports;

  mount(surface, sessionRoutes.create, async ({ principal: { tenantId }, body, claim, head, now }) => {
    const { sessions: store, receipts } = stores(db, tenantId);
    const given = toBeginning(body);
    const referring = { tenantId, events: given.initialEvents, path: 'initial_events', now };
    const input = { ...given, initialEvents: await withFiles({ db, blobs }, referring), now };
    const made = await receipts.once(claim, now, async (kept) => {
      await requireVaults(db, { tenantId, vaultIds: input.vaultIds });
      const resources = await toNewResources(body.resources ?? [], { tenantId, sealer, now });
      const agent = input.budget?.max_list_cost ? await store.agentFor(input.agent) : null;
      if (agent) await requireBudgetable(sessions, { agent, budget: input.budget });
      if (input.initialEvents.length === 0) return store.create({ ...input, resources }, kept);
      return store.create({ ...input, resources, id: await expected(sessions, tenantId, now) }, kept);
    });
    if (input.initialEvents.length > 0) await begin(sessions, { tenantId, sessionId: made.reply.id }, made);
    return answer(made, head);
  });

  mount(surface, sessionRoutes.fork, async ({ principal: { tenantId }, params, body, claim, head, now }) => {
    const { sessions: store, resources, receipts } = stores(db, tenantId);
    const source = { tenantId, sessionId: params.session_id };
    const row = await findSession(db, source);
    const made = await receipts.once(claim, now, async (kept) => {
      await requireTaken(sessions, source, body);
      await requireBudgetable(sessions, { agent: row.agent, budget: body.budget });
      const { title, metadata } = toSession(row, await sessions.view(source), now);
      const snapshot = await sessions.lendSnapshot(source, body.at);
      const fork = {
        id: await expected(sessions, tenantId, now),
        origin: { sessionId: source.sessionId, eventId: body.at, ...(snapshot && { snapshot }) },
        title: body.title === undefined ? title : body.title,
        metadata: body.metadata ?? metadata,
        budget: body.budget ?? null,
        vaultIds: row.vaultIds,
        resources: await copiesOf(await resources.rows(source.sessionId), { tenantId, sealer, now }),
        now,
      };
      return store.fork(fork, kept);
    });
    await begin(sessions, { tenantId, sessionId: made.reply.id }, made);
    return answer(made, head);
  });
}

/** The id of a session that begins by itself once it is created, whatever becomes of this process. */
async function expected(sessions: Sessions, tenantId: string, now: number): Promise<string> {
  const sessionId = newId('session', now);
  await sessions.expect({ tenantId, sessionId });
  return sessionId;
}

/** What a new session does by itself it does once it is looked at: also when its creation is only repeated. */
async function begin(
  sessions: Sessions,
  address: SessionAddress,
  { replayed }: { replayed: boolean },
): Promise<void> {
  try {
    await sessions.view(address);
  } catch (error) {
    // Deleted since it was made: the answer of that time stands.
    if (!replayed || !isApiError(error) || error.code !== 'not_found') throw error;
  }
}

async function requireTaken(sessions: Sessions, source: SessionAddress, { at }: ForkSession): Promise<void> {
  if ((await sessions.position(source, at)) !== null) return;
  throw new ApiError('invalid_request', `at: ${at} is not an event that ${source.sessionId} has processed`);
}

function toBeginning(body: CreateSession) {
  const initialEvents = body.initial_events ?? [];
  return {
    agent: toReference(body),
    environmentId: body.environment_id ?? null,
    title: body.title ?? null,
    metadata: body.metadata ?? {},
    budget: body.budget ?? null,
    vaultIds: body.vault_ids ?? [],
    initialEvents,
  };
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
