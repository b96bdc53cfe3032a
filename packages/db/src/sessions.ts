// Sessions of one tenant: what each was created with, and an index of what is true of it now.
// 1. The definition is written once, with copies of the agent and environment: later changes to them do not reach it.
// 2. The index is put by the session itself and only moves forward in `updatedAt`; putting it twice is harmless.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import { ApiError } from '@capstan/schema/error';
import type { Metadata } from '@capstan/schema/metadata';
import type { Session, SessionStatus } from '@capstan/schema/sessions';
import { type SessionUsage, ZERO_USAGE } from '@capstan/schema/usage';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, gt, inArray, isNull, lt, lte } from 'drizzle-orm';
import { type Listing, seek, toPage } from './cursor.ts';
import { EnvironmentStore } from './environments.ts';
import type { Scope } from './scope.ts';
import { agents, agentVersions, environments, sessions } from './tables.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewSession {
  agent: { id: string; version?: number | undefined };
  /** Null: the tenant's default environment. */
  environmentId: string | null;
  title: string | null;
  metadata: Metadata;
  /** Epoch ms. */
  now: number;
}

export interface SessionFilter {
  limit: number;
  page?: string | undefined;
  order: 'asc' | 'desc';
  includeArchived: boolean;
  agentId?: string | undefined;
  statuses?: SessionStatus[] | undefined;
}

/** What a session was created with. */
export interface SessionDefinition {
  tenantId: string;
  sessionId: string;
  /** The primary thread. */
  threadId: string;
  agent: AgentSnapshot;
  environment: EnvironmentConfig;
}

/** What is true of a session now. Instants are epoch ms. */
export interface SessionIndex {
  status: SessionStatus;
  usage: SessionUsage;
  activeSeconds: number;
  updatedAt: number;
  archivedAt: number | null;
}

export interface SessionPage {
  data: Session[];
  next_page: string | null;
  prev_page: string | null;
}

export type SessionRow = typeof sessions.$inferSelect;

export class SessionStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Refuses unknown agents and environments (`not_found`) and archived ones (`invalid_request`). One read, one write. */
  async create(input: NewSession): Promise<Session> {
    const { db, tenantId } = this.#scope;
    const { now, title, metadata } = input;
    const { agent, environment } = await this.#parents(input);
    const row: SessionRow = {
      id: newId('session', now),
      tenantId,
      threadId: newId('thread', now),
      agentId: agent.id,
      agent,
      environmentId: environment.id,
      environment: environment.config,
      title,
      metadata,
      createdAt: now,
      status: 'idle',
      usage: ZERO_USAGE,
      activeSeconds: 0,
      updatedAt: now,
      archivedAt: null,
    };
    await db.insert(sessions).values(row);
    return toSession(row, row, now);
  }

  /** Null: this tenant has no such session. */
  async load(sessionId: string): Promise<SessionDefinition | null> {
    const row = await this.find(sessionId);
    if (row === null) return null;
    const { tenantId, threadId, agent, environment } = row;
    return { tenantId, sessionId, threadId, agent, environment };
  }

  /** Null: this tenant has no such session. */
  async find(sessionId: string): Promise<SessionRow | null> {
    const { db, tenantId } = this.#scope;
    const [row] = await db
      .select()
      .from(sessions)
      .where(and(eq(sessions.tenantId, tenantId), eq(sessions.id, sessionId)));
    return row ?? null;
  }

  /** Puts what is true now; an older truth never replaces a newer one. */
  async putIndex(sessionId: string, index: SessionIndex): Promise<void> {
    const { db, tenantId } = this.#scope;
    const { status, usage, activeSeconds, updatedAt, archivedAt } = index;
    await db
      .update(sessions)
      .set({ status, usage, activeSeconds, updatedAt, archivedAt })
      .where(
        and(eq(sessions.tenantId, tenantId), eq(sessions.id, sessionId), lte(sessions.updatedAt, updatedAt)),
      );
  }

  /** `now` (epoch ms) dates the running totals. */
  async list(filter: SessionFilter, now: number): Promise<SessionPage> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'sessions', tenantId, ...filter };
    const at = seek(listing);
    const { id } = sessions;
    const found = await db
      .select()
      .from(sessions)
      .where(
        and(
          eq(sessions.tenantId, tenantId),
          filter.includeArchived ? undefined : isNull(sessions.archivedAt),
          filter.agentId === undefined ? undefined : eq(sessions.agentId, filter.agentId),
          filter.statuses === undefined ? undefined : inArray(sessions.status, filter.statuses),
          at.id === null ? undefined : at.order === 'desc' ? lt(id, at.id) : gt(id, at.id),
        ),
      )
      .orderBy(at.order === 'desc' ? desc(id) : asc(id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return {
      data: page.rows.map((row) => toSession(row, row, now)),
      next_page: page.next,
      prev_page: page.prev,
    };
  }

  async #parents(input: NewSession) {
    const first = await this.#readParents(input);
    if (first.environment || input.environmentId !== null) return checked(first, input);
    await new EnvironmentStore(this.#scope).ensureDefault(input.now);
    return checked(await this.#readParents(input), input);
  }

  async #readParents({ agent, environmentId }: NewSession): Promise<Parents> {
    const { db, tenantId } = this.#scope;
    const wanted =
      environmentId === null ? eq(environments.isDefault, true) : eq(environments.id, environmentId);
    const [[agentRow], [environment]] = await db.batch([
      db
        .select({ definition: agentVersions.definition, archivedAt: agents.archivedAt })
        .from(agents)
        .innerJoin(
          agentVersions,
          and(
            eq(agentVersions.agentId, agents.id),
            eq(agentVersions.version, agent.version ?? agents.version),
          ),
        )
        .where(and(eq(agents.tenantId, tenantId), eq(agents.id, agent.id))),
      db
        .select({
          id: environments.id,
          config: environments.config,
          archivedAt: environments.archivedAt,
        })
        .from(environments)
        .where(and(eq(environments.tenantId, tenantId), wanted)),
    ]);
    return { agent: agentRow, environment };
  }
}

interface Parents {
  agent: { definition: AgentSnapshot; archivedAt: number | null } | undefined;
  environment: { id: string; config: EnvironmentConfig; archivedAt: number | null } | undefined;
}

function checked({ agent, environment }: Parents, input: NewSession) {
  const { id, version } = input.agent;
  if (!agent) {
    throw new ApiError(
      'not_found',
      `No agent ${id}${version === undefined ? '' : ` with version ${version}`}`,
    );
  }
  if (agent.archivedAt !== null) {
    throw new ApiError('invalid_request', `agent: ${id} is archived and starts no new sessions`);
  }
  if (!environment) {
    throw new ApiError('not_found', `No environment ${input.environmentId}`, {
      reason: 'environment_not_found',
    });
  }
  if (environment.archivedAt !== null) {
    throw new ApiError('invalid_request', `environment_id: ${environment.id} is archived`, {
      reason: 'environment_archived',
    });
  }
  return { agent: agent.definition, environment };
}

/** The resource: `row` says what the session is, `index` what is true of it at `now` (epoch ms). */
export function toSession(row: SessionRow, index: SessionIndex, now: number): Session {
  const until = index.status === 'terminated' ? index.updatedAt : Math.max(now, index.updatedAt);
  return {
    id: row.id,
    type: 'session',
    agent: row.agent,
    environment_id: row.environmentId,
    status: index.status,
    title: row.title,
    metadata: row.metadata,
    resources: [],
    vault_ids: [],
    budget: null,
    outcome_evaluations: [],
    stats: {
      active_seconds: index.activeSeconds,
      duration_seconds: Math.max(0, until - row.createdAt) / 1000,
    },
    usage: index.usage,
    deployment_id: null,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(index.updatedAt),
    archived_at: index.archivedAt === null ? null : toTimestamp(index.archivedAt),
  };
}
