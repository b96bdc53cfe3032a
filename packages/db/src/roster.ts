// The agents that an agent may call: pinned to versions when it is saved. A version never changes once written, so what a
// roster names can be read whenever a session wants a copy of it.
import type { AgentSnapshot } from '@capstan/schema/agents';
import { ApiError } from '@capstan/schema/error';
import {
  ADVISOR_NAME,
  type AgentReference,
  isAdvisor,
  type Multiagent,
  type MultiagentParam,
  type RosterEntry,
  type WorkersParam,
} from '@capstan/schema/multiagent';
import { calledBy, type Workers } from '@capstan/schema/roster';
import { and, eq, or, type SQL, sql } from 'drizzle-orm';
import type { Scope } from './scope.ts';
import { agents, agentVersions } from './tables/agents.ts';

/** The version of an agent that is being saved. */
export interface Owner {
  id: string;
  version: number;
  /** Where its own model is asked; undefined: anywhere. */
  geo?: string | undefined;
  /** The roster of the version before: what it names stays callable when it is archived or deleted. */
  roster?: Multiagent | null;
}

export interface Pinned {
  multiagent: Multiagent;
  /** What the definitions of the agents other than the owner take, as JSON. */
  sizeBytes: number;
}

/** The agent an entry names: another, in this version or the current one, or the owner. */
type Named = { id: string; version?: number | undefined } | 'self';

type Found = Awaited<ReturnType<typeof readNamed>>[number];

/** Refuses unknown agents (`not_found`), and archived ones, coordinators and repetitions (`invalid_request`). */
export async function pinRoster(scope: Scope, param: MultiagentParam, owner: Owner): Promise<Pinned> {
  if (param.type === 'coordinator') {
    const called = param.agents.flatMap((entry) => (isAdvisor(entry) ? [] : [entry]));
    const advisors = param.agents.filter(isAdvisor);
    const { pinned, sizeBytes } = await pin(scope, { entries: called, path: 'multiagent.agents' }, owner);
    return { multiagent: { type: param.type, agents: [...pinned, ...advisors] }, sizeBytes };
  }
  const { type, advisor } = param;
  const subagents = await pinWorkers(scope, { part: 'subagents', param: param.subagents }, owner);
  const geo = owner.geo ?? subagents.geo;
  const workflows = await pinWorkers(scope, { part: 'workflows', param: param.workflows }, { ...owner, geo });
  return {
    multiagent: {
      type,
      advisor: advisor ?? { type: 'disabled' },
      subagents: subagents.workers,
      workflows: workflows.workers,
    },
    sizeBytes: subagents.sizeBytes + workflows.sizeBytes,
  };
}

interface Part {
  part: 'subagents' | 'workflows';
  param: WorkersParam | null | undefined;
}

interface PinnedWorkers {
  workers: Workers<AgentReference>;
  sizeBytes: number;
  geo?: string | undefined;
}

/** Absent or null: enabled. */
async function pinWorkers(scope: Scope, { part, param }: Part, owner: Owner): Promise<PinnedWorkers> {
  const wanted = param ?? { type: 'enabled' as const };
  if (wanted.type === 'disabled') return { workers: wanted, sizeBytes: 0 };
  const inline_agents = wanted.inline_agents ?? { type: 'enabled' as const };
  const entries = wanted.predefined_agents ?? [];
  const path = `multiagent.${part}.predefined_agents`;
  if (inline_agents.type === 'disabled' && entries.length === 0) {
    const hint = `name at least one agent, enable inline_agents, or disable ${part}`;
    throw new ApiError('invalid_request', `${path}: ${hint}`);
  }
  const { pinned, ...found } = await pin(scope, { entries, path }, owner);
  return { workers: { type: 'enabled', inline_agents, predefined_agents: pinned }, ...found };
}

interface Given {
  entries: readonly RosterEntry[];
  /** Where they are given. */
  path: string;
}

async function pin(scope: Scope, { entries, path }: Given, owner: Owner) {
  const named = entries.map((entry) => toNamed(entry, owner));
  requireDistinct(
    named.map((entry) => (entry === 'self' ? owner.id : entry.id)),
    path,
  );
  const found = await readNamed(scope, named);
  const pinned: AgentReference[] = [];
  let sizeBytes = 0;
  let geo = owner.geo;
  for (const [index, entry] of named.entries()) {
    if (entry === 'self') {
      pinned.push({ type: 'agent', id: owner.id, version: owner.version });
      continue;
    }
    const at = `${path}.${index}`;
    const row = requireFound(
      found.find(({ id, deletedAt, version }) => {
        return id === entry.id && (deletedAt === null || isKept({ id, version }, owner));
      }),
      entry,
      at,
    );
    if (!isKept(row, owner)) requireCallable(row, at);
    requireGeo(row, geo, at);
    geo ??= row.geo ?? undefined;
    pinned.push({ type: 'agent', id: row.id, version: row.version });
    sizeBytes += row.sizeBytes;
  }
  return { pinned, sizeBytes, geo };
}

/** Where a definition has lists of agents that it may call. */
export const CALLED = [
  '$.multiagent.agents',
  '$.multiagent.subagents.predefined_agents',
  '$.multiagent.workflows.predefined_agents',
] as const;

/** A version's definition with those of the agents it may call, in the order of its lists: an expression over `agent_versions`. */
export function snapshot(scope: Scope): SQL<AgentSnapshot> {
  const { definition } = agentVersions;
  // A list that a definition does not have is not replaced.
  const lists = CALLED.map((path) => sql`${sql.raw(`'${path}'`)}, json((${calledAt(scope, path)}))`);
  return sql<AgentSnapshot>`CASE WHEN json_type(${definition}, '$.multiagent') = 'object'
    THEN json_replace(${definition}, ${sql.join(lists, sql`, `)}) ELSE ${definition} END`;
}

/** An advisor is no agent: it stays as it is. */
function calledAt({ tenantId }: Scope, path: (typeof CALLED)[number]): SQL {
  const { definition } = agentVersions;
  const at = sql.raw(`'${path}'`);
  return sql`SELECT json_group_array(json(iif(entry.value ->> '$.type' = 'advisor', entry.value,
      json_remove(called.definition, '$.multiagent'))) ORDER BY entry.key)
    FROM json_each(${definition}, ${at}) AS entry
    LEFT JOIN ${agentVersions} AS called ON called.agent_id = entry.value ->> '$.id'
      AND called.version = entry.value ->> '$.version' AND called.tenant_id = ${tenantId}
    WHERE called.agent_id IS NOT NULL OR entry.value ->> '$.type' = 'advisor'`;
}

/** An agent's own current version is what is being saved: an answer's roster can be sent back as it is. */
function toNamed(entry: RosterEntry, owner: Owner): Named {
  const named = typeof entry === 'string' ? { type: 'agent' as const, id: entry } : entry;
  if (named.type === 'self') return 'self';
  const { id, version } = named;
  return id === owner.id && (version === undefined || version === owner.version - 1)
    ? 'self'
    : { id, version };
}

function isKept({ id, version }: Pick<Found, 'id' | 'version'>, { roster = null }: Owner): boolean {
  return calledBy(roster).some((entry) => entry.id === id && entry.version === version);
}

function requireDistinct(ids: readonly string[], path: string): void {
  for (const [index, id] of ids.entries()) {
    const first = ids.indexOf(id);
    if (first === index) continue;
    throw new ApiError(
      'invalid_request',
      `${path}.${index}: the same agent as ${path}.${first}; name each once`,
    );
  }
}

function requireFound(row: Found | undefined, { id, version }: Exclude<Named, 'self'>, path: string): Found {
  if (row) return row;
  const which = version === undefined ? '' : ` with version ${version}`;
  throw new ApiError('not_found', `${path}: no agent ${id}${which}`);
}

function requireCallable({ id, name, archivedAt, coordinates }: Found, path: string): void {
  if (archivedAt !== null) {
    throw new ApiError('invalid_request', `${path}: ${id} is archived and starts no new threads`);
  }
  if (coordinates) {
    const hint = 'agents that are called cannot call others';
    throw new ApiError('invalid_request', `${path}: ${id} has a roster of its own (multiagent); ${hint}`);
  }
  if (name === ADVISOR_NAME) {
    const hint = 'give the agent another one';
    throw new ApiError('invalid_request', `${path}: the name ${ADVISOR_NAME} is the advisor's; ${hint}`);
  }
}

/** Of the agents that work together, those that say where their model is asked say the same. */
function requireGeo({ id, geo }: Found, other: string | undefined, path: string): void {
  if (geo === null || other === undefined || geo === other) return;
  const hint = 'all of them have to say the same, or nothing';
  throw new ApiError(
    'invalid_request',
    `${path}: ${id} has the inference_geo "${geo}", and another agent "${other}"; ${hint}`,
  );
}

/** The definitions stay where they are: twenty of them are large. */
function readNamed({ db, tenantId }: Scope, named: readonly Named[]) {
  const { definition } = agentVersions;
  const wanted = named
    .filter((entry) => entry !== 'self')
    .map(({ id, version }) => and(eq(agents.id, id), eq(agentVersions.version, version ?? agents.version)));
  return db
    .select({
      id: agents.id,
      version: agentVersions.version,
      archivedAt: agents.archivedAt,
      deletedAt: agents.deletedAt,
      name: sql<string>`${definition} ->> '$.name'`,
      geo: sql<string | null>`${definition} ->> '$.model.inference_geo'`,
      coordinates: sql<number>`json_type(${definition}, '$.multiagent') = 'object'`,
      sizeBytes: sql<number>`octet_length(${definition})`,
    })
    .from(agents)
    .innerJoin(agentVersions, eq(agentVersions.agentId, agents.id))
    .where(and(eq(agents.tenantId, tenantId), or(sql`FALSE`, ...wanted)));
}
