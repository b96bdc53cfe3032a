// Sessions of one tenant: what each was created with, and an index of what is true of it now.
// 1. The definition is written once, with copies of the agent and environment: later changes to them do not reach it.
//    Title, metadata and budget begin with it and belong to the index from then on.
// 2. The index is put by the session itself and only moves forward in `updatedAt`; putting it twice is harmless.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Claim } from '@capstan/schema/idempotency';
import type { Metadata } from '@capstan/schema/metadata';
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import type { ForkedSession, Session } from '@capstan/schema/sessions';
import type { Announcement } from '@capstan/schema/webhook-events';
import { and, desc, eq, gte, isNull, lte, sql } from 'drizzle-orm';
import { oweOfSession } from './blob-debts.ts';
import { type LedgerEntry, LedgerStore } from './ledger.ts';
import { createSession, forkSession, type NewFork, type NewSession, readSnapshot } from './new-sessions.ts';
import { memoryStoresOfSession } from './resource-rows.ts';
import type { Scope } from './scope.ts';
import { listSessions, type SessionFilter, type SessionPage } from './session-lists.ts';
import { tellOf } from './session-news.ts';
import { type SessionIndex, type SessionRow, shownColumns } from './session-resource.ts';
import { removeSkills } from './session-skills.ts';
import { environments } from './tables/environments.ts';
import { files } from './tables/files.ts';
import { sessionResources } from './tables/resources.ts';
import { type Origin, sessions } from './tables/sessions.ts';
import { hasWarmPool } from './warm-pools.ts';

/** What a session was created with. */
export interface SessionDefinition {
  tenantId: string;
  sessionId: string;
  /** The primary thread. */
  threadId: string;
  agent: AgentSnapshot;
  environmentId: string;
  environment: EnvironmentConfig;
  title: string | null;
  metadata: Metadata;
  budget: Budget | null;
  initialEvents: EventParam[];
  vaultIds: string[];
  /** The session whose log it begins with, the last event it takes over, and the snapshot its sandbox begins with. */
  origin: Origin | null;
  memoryStores: AttachedMemoryStore[];
  /** Whether sandboxes are kept ready for it, as it is read. */
  warmPool: boolean;
  /** Epoch ms. */
  createdAt: number;
}

/** What is written with a session's index: what its model calls took, and what is told of it. */
export interface Accompaniment {
  calls?: readonly LedgerEntry[];
  announcements?: readonly Announcement[];
}

export interface SessionPlace {
  environmentId: string;
  type: EnvironmentConfig['type'];
}

export class SessionStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * Refuses unknown agents and environments (`not_found`) and archived ones (`invalid_request`).
   * With a claim, a receipt is kept: a name that is taken refuses the whole.
   */
  create(input: NewSession, claim?: Claim): Promise<Session> {
    return createSession(this.#scope, input, claim);
  }

  /** The agent as `create` would copy it now. Null: this tenant has no such agent. */
  agentFor(reference: NewSession['agent']): Promise<AgentSnapshot | null> {
    return readSnapshot(this.#scope, reference);
  }

  /** Refuses (`not_found`) an unknown session. With a claim, as `create`. */
  fork(input: NewFork, claim?: Claim): Promise<ForkedSession> {
    return forkSession(this.#scope, input, claim);
  }

  /** Null: this tenant has no such session. */
  async load(sessionId: string): Promise<SessionDefinition | null> {
    const { db } = this.#scope;
    const { tenantId, threadId, agent, environmentId, environment, title, metadata } = sessions;
    const { budget, initialEvents, vaultIds, origin, createdAt } = sessions;
    const [definition] = await db
      .select({
        tenantId,
        sessionId: sessions.id,
        threadId,
        agent,
        environmentId,
        environment,
        title,
        metadata,
        createdAt,
        budget,
        initialEvents,
        vaultIds,
        origin,
        memoryStores: memoryStoresOfSession,
        warmPool: hasWarmPool,
      })
      .from(sessions)
      .leftJoin(environments, eq(environments.id, sessions.environmentId))
      .where(this.#named(sessionId));
    return definition ?? null;
  }

  /** Null: this tenant has no such session. */
  async find(sessionId: string): Promise<SessionRow | null> {
    const { db } = this.#scope;
    const [row] = await db.select(shownColumns).from(sessions).where(this.#named(sessionId));
    return row ?? null;
  }

  /** Those of these that this tenant does not have. */
  async missing(ids: readonly string[]): Promise<string[]> {
    const named = sql`${sessions.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
    const found = await this.#scope.db
      .select({ id: sessions.id })
      .from(sessions)
      .where(and(eq(sessions.tenantId, this.#scope.tenantId), named));
    const there = new Set(found.map(({ id }) => id));
    return ids.filter((id) => !there.has(id));
  }

  /** Where its tools work. Null: this tenant has no such session. */
  async placeOf(sessionId: string): Promise<SessionPlace | null> {
    const { environmentId, environment } = sessions;
    const type = sql<EnvironmentConfig['type']>`json_extract(${environment}, '$.type')`;
    const [row] = await this.#scope.db
      .select({ environmentId, type })
      .from(sessions)
      .where(this.#named(sessionId));
    return row ?? null;
  }

  /** Whether an agent of a session of that environment has the skill: of that one session, or of any. */
  async hasSkill(skillId: string, of: { environmentId: string; sessionId: string | null }): Promise<boolean> {
    const { id, tenantId, environmentId, agent } = sessions;
    // In JSON, quotes of texts are escaped: only a member matches.
    const named = sql`instr(${agent}, '"skill_id":' || json_quote(${skillId})) > 0`;
    // The index of such sessions has those whose agents have any skill.
    const skilled = sql`instr(${agent}, '"skill_id":') > 0`;
    const own = and(eq(tenantId, this.#scope.tenantId), eq(environmentId, of.environmentId), skilled, named);
    const [found] = await this.#scope.db
      .select({ id })
      .from(sessions)
      .where(of.sessionId === null ? own : and(own, eq(id, of.sessionId)))
      .orderBy(desc(id))
      .limit(1);
    return found !== undefined;
  }

  /** Puts what is true now, and what goes with it, or nothing; an older truth never replaces a newer one. */
  async putIndex(sessionId: string, index: SessionIndex, also: Accompaniment = {}): Promise<void> {
    const { db } = this.#scope;
    const { status, usage, activeSeconds, updatedAt, archivedAt } = index;
    const { title, metadata, budget, outcomeEvaluations, agentTools } = index;
    const row = { status, usage, activeSeconds, updatedAt, archivedAt };
    const settings = { title, metadata, budget, outcomeEvaluations, agentTools };
    const put = db
      .update(sessions)
      .set({ ...row, ...settings })
      .where(and(this.#named(sessionId), lte(sessions.updatedAt, updatedAt)));
    const { calls = [], announcements = [] } = also;
    await db.batch([
      put,
      ...new LedgerStore(this.#scope).statements(calls),
      ...tellOf(this.#scope, announcements),
    ]);
  }

  /** Puts only what its owner has changed, so that lists show it while the session works. */
  async putSettings(sessionId: string, index: SessionIndex): Promise<void> {
    const { title, metadata, budget, agentTools, updatedAt } = index;
    await this.#scope.db
      .update(sessions)
      .set({ updatedAt: sql`${sessions.updatedAt}`, title, metadata, budget, agentTools })
      .where(and(this.#named(sessionId), lte(sessions.updatedAt, updatedAt)));
  }

  /**
   * With its files and resources; harmless when it is gone. Gives the blobs that are no file's any more, to be settled.
   * `now` is epoch ms.
   */
  async remove(sessionId: string, now: number): Promise<string[]> {
    const { db, tenantId } = this.#scope;
    const goes = and(eq(files.tenantId, tenantId), eq(files.sessionId, sessionId));
    const [owed] = await db.batch([
      oweOfSession(db, { tenantId, sessionId }, now),
      db.delete(files).where(goes),
      removeSkills(this.#scope, sessionId),
      db
        .delete(sessionResources)
        .where(and(eq(sessionResources.tenantId, tenantId), eq(sessionResources.sessionId, sessionId))),
      db.delete(sessions).where(this.#named(sessionId)),
    ]);
    return owed.map(({ blob }) => blob);
  }

  /** `now` (epoch ms) dates the running totals. A page of large sessions ends before the limit. */
  list(filter: SessionFilter, now: number): Promise<SessionPage> {
    return listSessions(this.#scope, filter, now);
  }

  /** Sessions that have the vault and have changed since then (epoch ms), the latest first. */
  async withVault(vaultId: string, { since, limit }: { since: number; limit: number }): Promise<string[]> {
    const { tenantId, updatedAt, archivedAt, vaultIds } = sessions;
    const found = await this.#scope.db
      .select({ id: sessions.id })
      .from(sessions)
      .where(
        and(
          eq(tenantId, this.#scope.tenantId),
          sql`${vaultIds} <> '[]'`,
          gte(updatedAt, since),
          isNull(archivedAt),
          sql`EXISTS (SELECT 1 FROM json_each(${vaultIds}) WHERE value = ${vaultId})`,
        ),
      )
      .orderBy(desc(updatedAt))
      .limit(limit);
    return found.map(({ id }) => id);
  }

  #named(sessionId: string) {
    return and(eq(sessions.tenantId, this.#scope.tenantId), eq(sessions.id, sessionId));
  }
}
