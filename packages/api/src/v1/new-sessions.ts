// New sessions over HTTP: from an agent, or from another session.
import { toSession } from '@capstan/db/session-resource';
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import { type CreateSession, type ForkSession, sessionRoutes } from '@capstan/schema/sessions';
import type { SessionAddress } from '@capstan/session/address';
import type { Sessions, SessionView } from '@capstan/session/service';
import type { Reach } from '@capstan/shared/safe-fetch';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { toReference } from './agent-reference.ts';
import { requireBudgetable } from './budgetable.ts';
import { copiesOf } from './new-resources.ts';
import { announceSession, beginSession, createSession } from './session-creation.ts';
import { findSession } from './session-row.ts';

export function mountNewSessions(surface: Surface): void {
  const { db, sessions, sealer, reach } = surface.ports;

  mount(surface, sessionRoutes.create, async ({ principal: { tenantId }, body, claim, head, now }) => {
    const wanted = { ...toWanted(body, reach), tenantId, now };
    const made = await stores(db, tenantId).receipts.once(claim, now, (kept) =>
      createSession(surface.ports, wanted, kept),
    );
    if (wanted.initialEvents.length === 0) return answer(made, head);
    const view = await beginSession(sessions, { tenantId, sessionId: made.reply.id }, made);
    const outcome_evaluations = definedAtFirst(wanted, view);
    return answer({ ...made, reply: { ...made.reply, outcome_evaluations } }, head);
  });

  mount(surface, sessionRoutes.fork, async ({ principal: { tenantId }, params, body, claim, head, now }) => {
    const { sessions: store, resources, receipts } = stores(db, tenantId);
    const source = { tenantId, sessionId: params.session_id };
    const row = await findSession(db, source);
    const made = await receipts.once(claim, now, async (kept) => {
      await requireTaken(sessions, source, body);
      await requireBudgetable(sessions, { tenantId, agent: row.agent, budget: body.budget });
      const { title, metadata } = toSession(row, await sessions.view(source), now);
      const snapshot = await sessions.lendSnapshot(source, body.at);
      const fork = {
        id: await announceSession(sessions, tenantId, now),
        origin: { sessionId: source.sessionId, eventId: body.at, ...(snapshot && { snapshot }) },
        title: body.title === undefined ? title : body.title,
        metadata: body.metadata ?? metadata,
        budget: body.budget ?? null,
        vaultIds: row.vaultIds,
        agentTools: await sessions.toolsAt(source, body.at),
        resources: await copiesOf(await resources.rows(source.sessionId), { tenantId, sealer, now }),
        now,
      };
      return store.fork(fork, kept);
    });
    await beginSession(sessions, { tenantId, sessionId: made.reply.id }, made);
    return answer(made, head);
  });
}

/** The outcome that the session begins with, as it was before anything was done for it: the same whenever it is looked at. */
function definedAtFirst(
  { initialEvents }: { initialEvents: readonly EventParam[] },
  view: SessionView | null,
): OutcomeEvaluation[] {
  const [first] = view?.outcomeEvaluations ?? [];
  if (first === undefined || !initialEvents.some(({ type }) => type === 'user.define_outcome')) return [];
  return [{ ...first, iteration: 0, result: 'pending', explanation: null, completed_at: null }];
}

async function requireTaken(sessions: Sessions, source: SessionAddress, { at }: ForkSession): Promise<void> {
  if ((await sessions.position(source, at)) !== null) return;
  throw new ApiError('invalid_request', `at: ${at} is not an event that ${source.sessionId} has processed`);
}

function toWanted(body: CreateSession, reach: Reach) {
  return {
    agent: toReference(body, reach),
    environmentId: body.environment_id ?? null,
    title: body.title ?? null,
    metadata: body.metadata ?? {},
    budget: body.budget ?? null,
    vaultIds: body.vault_ids ?? [],
    initialEvents: body.initial_events ?? [],
    resources: body.resources ?? [],
  };
}
