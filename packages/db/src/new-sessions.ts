// How a session comes to be: from an agent and an environment, or from another session.
// One statement finds what it copies and writes it, together with the receipt: a name that is taken refuses the whole.
import type { AgentSnapshot, AgentTools } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Claim } from '@capstan/schema/idempotency';
import type { Metadata } from '@capstan/schema/metadata';
import type { ForkedSession, Session } from '@capstan/schema/sessions';
import { ZERO_USAGE } from '@capstan/schema/usage';
import { newId } from '@capstan/shared/ids';
import { and, eq, getTableColumns, isNull, ne, type SQL, sql } from 'drizzle-orm';
import { type AgentOverrides, overridden, pinned } from './agent-overrides.ts';
import { mayRun, type NewRun, recordRun } from './deployment-runs.ts';
import { EnvironmentStore } from './environments.ts';
import { MOST_BYTES, requireFit, sizeOf } from './fit.ts';
import { announce, exists } from './outbox.ts';
import { keepReceipt, type Made } from './receipts.ts';
import { type NewResource, showNew } from './resource-rows.ts';
import { filesAreThere, give, storesAreOpen } from './resource-statements.ts';
import { snapshot } from './roster.ts';
import type { Scope } from './scope.ts';
import { shownAgent, toSession } from './session-resource.ts';
import { copySkills, giveSkills, refuseMissingSkill } from './session-skills.ts';
import { SnapshotHolderStore } from './snapshot-holders.ts';
import { agents, agentVersions } from './tables/agents.ts';
import { environments } from './tables/environments.ts';
import { type Origin, sessions } from './tables/sessions.ts';
import { toTimestamp } from './timestamp.ts';

interface Beginning {
  /** Absent: a new one. */
  id?: string;
  title: string | null;
  metadata: Metadata;
  budget?: Budget | null;
  /** Whose credentials it may use. */
  vaultIds?: string[];
  /** Epoch ms. */
  now: number;
}

export interface NewSession extends Beginning {
  agent: { id: string; version?: number | undefined; overrides?: AgentOverrides | undefined };
  /** Null: the tenant's default environment. */
  environmentId: string | null;
  /** What starts it; null or absent: a caller of the API. */
  deploymentId?: string | null;
  /** Its record is written with it, and has the receipt. */
  run?: NewRun;
  initialEvents?: EventParam[];
  resources?: readonly NewResource[];
}

export interface NewFork extends Beginning {
  /** The session that is forked, the last event the new one takes over, and the snapshot it begins with. */
  origin: Origin;
  /** Those of the session that is forked, to be copied. */
  resources?: readonly NewResource[];
  /** Those that its agent had there; null or absent: those that it was created with. */
  agentTools?: AgentTools | null;
}

type Row = typeof sessions.$inferSelect;

const { agent, agentId, environment, environmentId } = sessions;
const COPIED = { agent, agentId, environment, environmentId };
type Copied = keyof typeof COPIED;
/** All of a new session's row but what it copies. */
type Fresh = Omit<Row, Copied>;

const CREATE_ATTEMPTS = 3;

/**
 * Refuses unknown agents and environments (`not_found`) and archived ones (`invalid_request`): only what it refuses is
 * looked at more closely.
 */
export async function createSession(scope: Scope, given: NewSession, claim?: Claim): Promise<Session> {
  const input = await withCopy(scope, given);
  const { initialEvents = [], resources = [], now } = input;
  if (sizeOf(initialEvents) > MOST_BYTES) await prepare(scope, input);
  requireFit(initialEvents, 'initial_events');
  const { deploymentId = null } = input;
  const fresh = freshOf(scope, input, { initialEvents, origin: null, deploymentId });
  for (let attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
    const made = scope.db.batch([
      insertCopy(scope, fresh, fromAgent(scope, input)),
      ...giveTo(scope, fresh, resources),
      ...giveSkills(scope, fresh.id, now),
      ...announceTo(scope, fresh),
      ...(input.run
        ? recordRun(scope, { run: input.run, sessionId: fresh.id, claim })
        : keepReceipt(scope, claim, { id: fresh.id, now, ...answerTo(fresh, resources, {}) })),
    ]);
    const [[copied]] = await made.catch(refuseMissingSkill);
    if (copied) return toSession({ ...fresh, ...copied, ...shownOf(resources, now) }, fresh, now);
    await prepare(scope, input);
  }
  throw new ApiError('unavailable', 'The agent or environment is being changed: try again', {
    retryAfterSeconds: 1,
  });
}

/** With copies of the forked session's agent and environment. Refuses (`not_found`) an unknown session. */
export async function forkSession(scope: Scope, input: NewFork, claim?: Claim): Promise<ForkedSession> {
  const { origin, resources = [], now } = input;
  const { snapshot = null } = origin;
  const begun = freshOf(scope, input, { initialEvents: [], origin, deploymentId: null });
  const fresh = { ...begun, agentTools: input.agentTools ?? null };
  const capstan = {
    forked_from: { session_id: origin.sessionId, event_id: origin.eventId },
    sandbox_snapshot: snapshot && { id: snapshot.snapshotId, taken_at: toTimestamp(snapshot.takenAt) },
  };
  const holders = new SnapshotHolderStore(scope);
  const [[copied]] = await scope.db.batch([
    insertCopy(scope, fresh, fromSession(scope, origin.sessionId)),
    ...(snapshot === null ? [] : [holders.holding(snapshot.imageId, fresh.id)]),
    ...giveTo(scope, fresh, resources),
    ...copySkills(scope, { from: origin.sessionId, to: fresh.id }, now),
    ...announceTo(scope, fresh),
    ...keepReceipt(scope, claim, { id: fresh.id, now, ...answerTo(fresh, resources, { capstan }) }),
  ]);
  const shown = shownOf(resources, now);
  if (copied) return { ...toSession({ ...fresh, ...copied, ...shown }, fresh, now), capstan };
  throw new ApiError('not_found', `No session ${origin.sessionId}`);
}

/** The agent as a session that is created now would copy it. Null: this tenant has no such agent. */
export async function readSnapshot(
  scope: Scope,
  reference: NewSession['agent'],
): Promise<AgentSnapshot | null> {
  const { found, version } = agentWanted(scope, reference);
  const [row] = await scope.db
    .select({ agent: sql`${snapshot(scope)}`.mapWith(sessions.agent) })
    .from(agents)
    .innerJoin(agentVersions, version)
    .where(found);
  if (row === undefined) return null;
  const { overrides } = reference;
  if (overrides === undefined) return row.agent;
  return overridden(row.agent, await pinned(scope, row.agent, overrides));
}

/** A session that is to be created, with the copy of its agent where that is not the agent itself. */
interface Wanted extends NewSession {
  /** Of the version that `agent` names. */
  copy?: AgentSnapshot;
}

async function withCopy(scope: Scope, input: NewSession): Promise<Wanted> {
  const { agent } = input;
  const copy = agent.overrides === undefined ? null : await readSnapshot(scope, agent);
  if (copy === null) return input;
  requireFit(copy, 'agent');
  return { ...input, agent: { id: copy.id, version: copy.version }, copy };
}

function agentOf(scope: Scope, { copy }: Wanted): SQL {
  return copy === undefined ? snapshot(scope) : sql`${JSON.stringify(copy)}`;
}

export function freshOf(
  { tenantId }: Scope,
  { id, title, metadata, budget = null, vaultIds = [], now }: Beginning,
  from: Pick<Fresh, 'initialEvents' | 'origin' | 'deploymentId'>,
): Fresh {
  return {
    id: id ?? newId('session', now),
    tenantId,
    threadId: newId('thread', now),
    title,
    metadata,
    createdAt: now,
    // What it is sent with its creation it takes at once.
    status: from.initialEvents.length > 0 ? 'running' : 'idle',
    usage: ZERO_USAGE,
    activeSeconds: 0,
    updatedAt: now,
    archivedAt: null,
    budget,
    outcomeEvaluations: [],
    vaultIds,
    agentTools: null,
    ...from,
  };
}

/** Where a new session copies from: an expression for each column, and the rows they are over. */
interface Source {
  columns: Record<Copied, SQL>;
  rows: SQL;
}

export function insertCopy({ db }: Scope, fresh: Fresh, { columns, rows }: Source) {
  const known = new Map(Object.entries({ ...fresh, ...columns }));
  const values = Object.entries(getTableColumns(sessions)).map(([name, column]) => {
    const value = known.get(name);
    if (value === null || value === undefined) return sql`NULL`;
    return name in columns ? sql`${value}` : sql`${sql.param(value, column)}`;
  });
  return db
    .insert(sessions)
    .select(sql`SELECT ${sql.join(values, sql`, `)} ${rows}`)
    .returning(COPIED);
}

function fromAgent(scope: Scope, input: Wanted): Source {
  const { agent, environment } = wanted(scope, input);
  return {
    columns: {
      agent: agentOf(scope, input),
      agentId: sql`${agents.id}`,
      environment: sql`${environments.config}`,
      environmentId: sql`${environments.id}`,
    },
    rows: sql`FROM ${agents}
      JOIN ${agentVersions} ON ${agent.version}
      JOIN ${environments} ON ${environment} AND ${isNull(environments.archivedAt)}
      WHERE ${and(agent.found, isNull(agents.archivedAt), withRoom(scope, input), withResources(scope, input), withPlace(input), input.run && mayRun(scope, input.run))}`,
  };
}

/** What a session is sent with its creation stands beside the copies of its agent and its environment. */
function withRoom(scope: Scope, input: Wanted): SQL | undefined {
  const { initialEvents = [] } = input;
  if (initialEvents.length === 0) return undefined;
  const copied = sql`octet_length(${agentOf(scope, input)}) + octet_length(${environments.config})`;
  return sql`${copied} <= ${MOST_BYTES - sizeOf(initialEvents)}`;
}

/** Without a sandbox there is no place for what would be mounted in one; memory stores whoever works may fetch. */
function withPlace({ resources = [] }: NewSession): SQL | undefined {
  return resources.every(({ type }) => type === 'memory_store') ? undefined : ne(configType, 'self_hosted');
}

const configType = sql<string>`json_extract(${environments.config}, '$.type')`;

function withResources(scope: Scope, { resources = [], now }: NewSession): SQL | undefined {
  return and(filesAreThere(scope, resources, now), storesAreOpen(scope, resources));
}

/** Nothing is given to a session that was not made. */
export function giveTo(scope: Scope, { id, createdAt }: Fresh, resources: readonly NewResource[]) {
  const when = sql`EXISTS (SELECT 1 FROM ${sessions} WHERE ${sessions.id} = ${id})`;
  if (resources.length === 0) return [];
  const { copies, rows } = give(scope, { sessionId: id, resources, when, now: createdAt });
  return [copies, rows];
}

/** Nothing is told of a session that was not made. */
export function announceTo(scope: Scope, { id, createdAt: now }: Fresh) {
  return announce(scope, { type: 'session.created', id, now }, exists(sessions, eq(sessions.id, id)));
}

function shownOf(resources: readonly NewResource[], now: number) {
  return { resources: resources.map((resource) => showNew(resource, now)) };
}

function fromSession({ tenantId }: Scope, sessionId: string): Source {
  return {
    columns: {
      agent: sql`${agent}`,
      agentId: sql`${agentId}`,
      environment: sql`${environment}`,
      environmentId: sql`${environmentId}`,
    },
    rows: sql`FROM ${sessions} WHERE ${sessions.tenantId} = ${tenantId} AND ${sessions.id} = ${sessionId}`,
  };
}

/** The answer of a session that is being created: the agent and environment it copies are known to the database only. */
function answerTo(
  fresh: Fresh,
  resources: readonly NewResource[],
  extension: object,
): Pick<Made, 'reply' | 'from'> {
  const known = shownOf(resources, fresh.createdAt);
  const unknown = { ...fresh, ...known, agent: null, agentId: '', environmentId: '' };
  const rest = JSON.stringify({ ...toSession(unknown, fresh, fresh.createdAt), ...extension });
  return {
    reply: sql`json_set(${rest}, '$.agent', ${shownAgent(fresh)}, '$.environment_id', ${environmentId})`,
    from: sql`FROM ${sessions} WHERE ${sessions.id} = ${fresh.id}`,
  };
}

/** Says why nothing was inserted, or makes the default environment that was missing. */
async function prepare(scope: Scope, input: Wanted): Promise<void> {
  const parents = await readParents(scope, input);
  check(parents, input);
  await requireFiles(scope, input);
  await requireRunnable(scope, input);
  if (input.initialEvents?.length && parents.environment) {
    const besides = { what: 'its agent and environment', sizeBytes: parents.sizeBytes };
    requireFit(input.initialEvents, 'initial_events', besides);
  }
  if (!parents.environment) await new EnvironmentStore(scope).ensureDefault(input.now);
}

/** Refuses (`conflict`) a run that its deployment no longer makes. */
async function requireRunnable(scope: Scope, { run }: NewSession): Promise<void> {
  if (run === undefined) return;
  const [found] = await scope.db.select({ may: sql<number>`${mayRun(scope, run)}` }).from(sql`(SELECT 1)`);
  if (found?.may) return;
  const why = 'is archived or paused, or has begun this run already';
  throw new ApiError('conflict', `${run.deploymentId} ${why}`, { reason: 'run_not_due' });
}

/** Names the first file that is not there. */
async function requireFiles(scope: Scope, { resources = [], now }: NewSession): Promise<void> {
  for (const [index, resource] of resources.entries()) {
    const there = filesAreThere(scope, [resource], now);
    if (there === undefined || resource.type !== 'file') continue;
    const [found] = await scope.db.select({ there: sql<number>`${there}` }).from(sql`(SELECT 1)`);
    if (found?.there) continue;
    const path = `resources.${index}.file_id`;
    throw new ApiError('not_found', `${path}: no file ${resource.source}, or it has expired`, {
      reason: 'file_not_found',
    });
  }
}

function wanted(scope: Scope, { agent, environmentId }: NewSession) {
  return {
    agent: agentWanted(scope, agent),
    environment: and(
      eq(environments.tenantId, scope.tenantId),
      environmentId === null ? eq(environments.isDefault, true) : eq(environments.id, environmentId),
    ),
  };
}

function agentWanted({ tenantId }: Scope, { id, version }: NewSession['agent']) {
  return {
    found: and(eq(agents.tenantId, tenantId), eq(agents.id, id), isNull(agents.deletedAt)),
    version: and(eq(agentVersions.agentId, agents.id), eq(agentVersions.version, version ?? agents.version)),
  };
}

interface Parents {
  agent: { archivedAt: number | null } | undefined;
  environment: { archivedAt: number | null; type: string } | undefined;
  /** What a session would copy of both. */
  sizeBytes: number;
}

async function readParents(scope: Scope, input: Wanted): Promise<Parents> {
  const { agent, environment } = wanted(scope, input);
  const agentBytes = sql<number>`octet_length(${agentOf(scope, input)})`.as('agent_bytes');
  const configBytes = sql<number>`octet_length(${environments.config})`;
  const [[foundAgent], [foundEnvironment]] = await scope.db.batch([
    scope.db
      .select({ archivedAt: agents.archivedAt, bytes: agentBytes })
      .from(agents)
      .innerJoin(agentVersions, agent.version)
      .where(agent.found),
    scope.db
      .select({ archivedAt: environments.archivedAt, type: configType, bytes: configBytes })
      .from(environments)
      .where(environment),
  ]);
  const sizeBytes = (foundAgent?.bytes ?? 0) + (foundEnvironment?.bytes ?? 0);
  return { agent: foundAgent, environment: foundEnvironment, sizeBytes };
}

/** The default environment may be missing: it is made then. */
function check({ agent, environment }: Parents, input: NewSession): void {
  const { id, version } = input.agent;
  const { environmentId } = input;
  if (!agent) {
    throw new ApiError(
      'not_found',
      `No agent ${id}${version === undefined ? '' : ` with version ${version}`}`,
      { reason: 'agent_not_found' },
    );
  }
  if (agent.archivedAt !== null) {
    throw new ApiError('invalid_request', `agent: ${id} is archived and starts no new sessions`, {
      reason: 'agent_archived',
    });
  }
  if (!environment && environmentId !== null) {
    const reason = 'environment_not_found';
    throw new ApiError('not_found', `No environment ${environmentId}`, { reason });
  }
  if (environment && environment.archivedAt !== null) {
    const reason = 'environment_archived';
    throw new ApiError('invalid_request', 'environment_id: the environment is archived', { reason });
  }
  const mounted = input.resources?.find(({ type }) => type !== 'memory_store');
  if (environment?.type === 'self_hosted' && mounted) {
    throw new ApiError(
      'invalid_request',
      `resources: a ${mounted.type} is mounted in a sandbox, and sessions of a self_hosted environment have none; ` +
        'put it where the worker works',
      { reason: 'self_hosted_resources_unsupported' },
    );
  }
}
