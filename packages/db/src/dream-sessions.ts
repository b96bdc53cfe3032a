// The session of a dream: with an agent and an environment of the platform's own, which are in no list. It is written in one
// transaction with the mark that it is there, as long as the dream runs.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { EventParam } from '@capstan/schema/events/user-events';
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { DreamRow } from './dreams.ts';
import { announceTo, freshOf, giveTo, insertCopy } from './new-sessions.ts';
import type { NewResource } from './resource-rows.ts';
import type { Scope } from './scope.ts';
import { dreams } from './tables/dreams.ts';

export interface NewDreamSession {
  agent: AgentSnapshot;
  environment: { id: string; config: EnvironmentConfig };
  initialEvents: EventParam[];
  /** Copies of files that go with the session are there already. */
  resources: readonly NewResource[];
  /** Epoch ms. */
  now: number;
}

/** Harmless when it was written before; nothing is written for a dream that no longer runs. */
export async function createDreamSession(
  scope: Scope,
  { id, sessionId }: DreamRow,
  { agent, environment, initialEvents, resources, now }: NewDreamSession,
): Promise<void> {
  const { db, tenantId } = scope;
  const runs = and(
    eq(dreams.tenantId, tenantId),
    eq(dreams.id, id),
    eq(dreams.status, 'running'),
    isNull(dreams.begunAt),
  );
  const named = { id: sessionId, title: `Dream ${id}`, metadata: {}, now };
  const fresh = freshOf(scope, named, { initialEvents, origin: null, deploymentId: null });
  const columns = {
    agent: sql`${JSON.stringify(agent)}`,
    agentId: sql`${agent.id}`,
    environment: sql`${JSON.stringify(environment.config)}`,
    environmentId: sql`${environment.id}`,
  };
  await db.batch([
    insertCopy(scope, fresh, { columns, rows: sql`FROM ${dreams} WHERE ${runs}` }),
    ...giveTo(scope, fresh, resources),
    ...announceTo(scope, fresh),
    db.update(dreams).set({ begunAt: now }).where(runs),
  ]);
}
