// Sessions of one tenant: what each was created with, and an index of what is true of it now.
// 1. The definition is written once, with copies of the agent and environment: later changes to them do not reach it.
// 2. The index is put by the session itself and only moves forward in `updatedAt`; putting it twice is harmless.
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Claim } from '@capstan/schema/idempotency';
import type { Metadata } from '@capstan/schema/metadata';
import type { CreatedAtBounds } from '@capstan/schema/page';
import type { Session, SessionStatus } from '@capstan/schema/sessions';
import { type SessionUsage, ZERO_USAGE } from '@capstan/schema/usage';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, gt, inArray, isNull, lt, lte, sql } from 'drizzle-orm';
import { within } from './bounds.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { EnvironmentStore } from './environments.ts';
import { keepReceipt, type Made } from './receipts.ts';
import { snapshot } from './roster.ts';
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
  agentVersion?: number | undefined;
  created: CreatedAtBounds;
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
  title: string | null;
  metadata: Metadata;
  budget: Budget | null;
  initialEvents: EventParam[];
  /** The session whose log it begins with, and the last event it takes over. */
  origin: { sessionId: string; eventId: string } | null;
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
/** All of a new session but what it copies. */
type Fresh = Omit<SessionRow, 'agent' | 'environment' | 'environmentId'>;

const CREATE_ATTEMPTS = 3;

export class SessionStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * Refuses unknown agents and environments (`not_found`) and archived ones (`invalid_request`).
   * One statement finds both, copies them and writes the session: only what it refuses is looked at more closely.
   * With a claim, a receipt is kept: a name that is taken refuses the whole.
   */
  async create(input: NewSession, claim?: Claim): Promise<Session> {
    const { now, title, metadata } = input;
    const fresh = {
      id: newId('session', now),
      tenantId: this.#scope.tenantId,
      threadId: newId('thread', now),
      agentId: input.agent.id,
      title,
      metadata,
      createdAt: now,
      status: 'idle' as const,
      usage: ZERO_USAGE,
      activeSeconds: 0,
      updatedAt: now,
      archivedAt: null,
    };
    for (let attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
      const [[copied]] = await this.#scope.db.batch([
        this.#insert(fresh, input),
        ...keepReceipt(this.#scope, claim, { id: fresh.id, now, ...answerTo(fresh) }),
      ]);
      if (copied) return toSession({ ...fresh, ...copied }, fresh, now);
      await this.#prepare(input);
    }
    throw new ApiError('unavailable', 'The agent or environment is being changed: try again', {
      retryAfterSeconds: 1,
    });
  }

  /** Null: this tenant has no such session. */
  async load(sessionId: string): Promise<SessionDefinition | null> {
    const row = await this.find(sessionId);
    if (row === null) return null;
    const { tenantId, threadId, agent, environment, title, metadata } = row;
    const definition = { tenantId, sessionId, threadId, agent, environment, title, metadata };
    return { ...definition, budget: null, initialEvents: [], origin: null };
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

  /** Harmless when it is gone. */
  async remove(sessionId: string): Promise<void> {
    const { db, tenantId } = this.#scope;
    await db.delete(sessions).where(and(eq(sessions.tenantId, tenantId), eq(sessions.id, sessionId)));
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
          filter.agentVersion === undefined
            ? undefined
            : eq(sql`json_extract(${sessions.agent}, '$.version')`, filter.agentVersion),
          within(sessions.createdAt, filter.created),
          filter.statuses === undefined ? undefined : inArray(sessions.status, [...new Set(filter.statuses)]),
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

  #insert(fresh: Fresh, input: NewSession) {
    const { db } = this.#scope;
    const { agent, environment } = this.#wanted(input);
    const given = <K extends keyof typeof fresh>(name: K) =>
      sql<(typeof fresh)[K]>`${sql.param(fresh[name], sessions[name])}`.as(sessions[name].name);
    const copy = db
      .select({
        id: given('id'),
        tenantId: given('tenantId'),
        threadId: given('threadId'),
        agentId: given('agentId'),
        agent: snapshot(this.#scope).as(sessions.agent.name),
        environmentId: sql<string>`${environments.id}`.as('environment_id'),
        environment: environments.config,
        title: given('title'),
        metadata: given('metadata'),
        createdAt: given('createdAt'),
        status: given('status'),
        usage: given('usage'),
        activeSeconds: given('activeSeconds'),
        updatedAt: given('updatedAt'),
        archivedAt: given('archivedAt'),
      })
      .from(agents)
      .innerJoin(agentVersions, agent.version)
      .innerJoin(environments, and(environment, isNull(environments.archivedAt)))
      .where(and(agent.found, isNull(agents.archivedAt)));
    return db.insert(sessions).select(copy).returning({
      agent: sessions.agent,
      environmentId: sessions.environmentId,
      environment: sessions.environment,
    });
  }

  /** Says why nothing was inserted, or makes the default environment that was missing. */
  async #prepare(input: NewSession): Promise<void> {
    const parents = await this.#readParents(input);
    check(parents, input);
    if (!parents.environment) await new EnvironmentStore(this.#scope).ensureDefault(input.now);
  }

  #wanted({ agent, environmentId }: NewSession) {
    const { tenantId } = this.#scope;
    return {
      agent: {
        found: and(eq(agents.tenantId, tenantId), eq(agents.id, agent.id)),
        version: and(
          eq(agentVersions.agentId, agents.id),
          eq(agentVersions.version, agent.version ?? agents.version),
        ),
      },
      environment: and(
        eq(environments.tenantId, tenantId),
        environmentId === null ? eq(environments.isDefault, true) : eq(environments.id, environmentId),
      ),
    };
  }

  async #readParents(input: NewSession): Promise<Parents> {
    const { db } = this.#scope;
    const { agent, environment } = this.#wanted(input);
    const [[foundAgent], [foundEnvironment]] = await db.batch([
      db
        .select({ archivedAt: agents.archivedAt })
        .from(agents)
        .innerJoin(agentVersions, agent.version)
        .where(agent.found),
      db.select({ archivedAt: environments.archivedAt }).from(environments).where(environment),
    ]);
    return { agent: foundAgent, environment: foundEnvironment };
  }
}

/** The answer of a session that is being created: the agent and environment it copies are known to the database only. */
function answerTo(fresh: Fresh): Pick<Made, 'reply' | 'from'> {
  const unknown = { ...fresh, agent: null, environmentId: '' };
  const rest = JSON.stringify(toSession(unknown, fresh, fresh.createdAt));
  return {
    reply: sql`json_set(${rest}, '$.agent', json(${sessions.agent}), '$.environment_id', ${sessions.environmentId})`,
    from: sql`FROM ${sessions} WHERE ${sessions.id} = ${fresh.id}`,
  };
}

interface Parents {
  agent: { archivedAt: number | null } | undefined;
  environment: { archivedAt: number | null } | undefined;
}

/** The default environment may be missing: it is made then. */
function check({ agent, environment }: Parents, input: NewSession): void {
  const { id, version } = input.agent;
  const { environmentId } = input;
  if (!agent) {
    throw new ApiError(
      'not_found',
      `No agent ${id}${version === undefined ? '' : ` with version ${version}`}`,
    );
  }
  if (agent.archivedAt !== null) {
    throw new ApiError('invalid_request', `agent: ${id} is archived and starts no new sessions`);
  }
  if (!environment && environmentId !== null) {
    const reason = 'environment_not_found';
    throw new ApiError('not_found', `No environment ${environmentId}`, { reason });
  }
  if (environment && environment.archivedAt !== null) {
    const reason = 'environment_archived';
    throw new ApiError('invalid_request', 'environment_id: the environment is archived', { reason });
  }
}

/** The resource: `row` says what the session is, `index` what is true of it at `now` (epoch ms). */
export function toSession<Agent>(
  row: Omit<SessionRow, 'agent' | 'environment'> & { agent: Agent },
  index: SessionIndex,
  now: number,
): Omit<Session, 'agent'> & { agent: Agent } {
  // A session nothing was sent to has not been touched since it was created.
  const updatedAt = Math.max(row.createdAt, index.updatedAt);
  const until = index.status === 'terminated' ? updatedAt : Math.max(now, updatedAt);
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
      duration_seconds: (until - row.createdAt) / 1000,
    },
    usage: index.usage,
    deployment_id: null,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(updatedAt),
    archived_at: index.archivedAt === null ? null : toTimestamp(index.archivedAt),
  };
}
