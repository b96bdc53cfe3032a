// The agents that an agent may call: pinned to versions when it is saved. A version never changes once written, so what a
// roster names can be read whenever a session wants a copy of it.
import type { AgentSnapshot } from '@capstan/schema/agents';
import { ApiError } from '@capstan/schema/error';
import type { AgentReference, Multiagent, MultiagentParam, RosterEntry } from '@capstan/schema/multiagent';
import { and, eq, or, type SQL, sql } from 'drizzle-orm';
import type { Scope } from './scope.ts';
import { agents, agentVersions } from './tables/agents.ts';

/** The version of an agent that is being saved. */
export interface Owner {
  id: string;
  version: number;
  /** The roster of the version before: what it names stays callable when it is archived. */
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

const ROSTER = 'multiagent.agents';

/** Refuses unknown agents (`not_found`), and archived ones, coordinators and repetitions (`invalid_request`). */
export async function pinRoster(
  scope: Scope,
  { type, agents: entries }: MultiagentParam,
  owner: Owner,
): Promise<Pinned> {
  const named = entries.map((entry) => toNamed(entry, owner));
  requireDistinct(named.map((entry) => (entry === 'self' ? owner.id : entry.id)));
  const found = await readNamed(scope, named);
  const pinned: AgentReference[] = [];
  let sizeBytes = 0;
  for (const [index, entry] of named.entries()) {
    if (entry === 'self') {
      pinned.push({ type: 'agent', id: owner.id, version: owner.version });
      continue;
    }
    const path = `${ROSTER}.${index}`;
    const row = requireFound(
      found.find(({ id }) => id === entry.id),
      entry,
      path,
    );
    if (!isKept(row, owner)) requireCallable(row, path);
    pinned.push({ type: 'agent', id: row.id, version: row.version });
    sizeBytes += row.sizeBytes;
  }
  return { multiagent: { type, agents: pinned }, sizeBytes };
}

/** A version's definition with those of the agents it may call, in the order of its roster: an expression over `agent_versions`. */
export function snapshot({ tenantId }: Scope): SQL<AgentSnapshot> {
  const { definition } = agentVersions;
  const called = sql`SELECT json_group_array(json_remove(called.definition, '$.multiagent') ORDER BY entry.key)
    FROM json_each(${definition}, '$.multiagent.agents') AS entry
    JOIN ${agentVersions} AS called
      ON called.agent_id = entry.value ->> '$.id' AND called.version = entry.value ->> '$.version'
    WHERE called.tenant_id = ${tenantId}`;
  return sql<AgentSnapshot>`CASE json_type(${definition}, '$.multiagent') WHEN 'object'
    THEN json_set(${definition}, '$.multiagent.agents', json((${called}))) ELSE ${definition} END`;
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

function isKept({ id, version }: Found, { roster }: Owner): boolean {
  return roster?.agents.some((entry) => entry.id === id && entry.version === version) ?? false;
}

function requireDistinct(ids: readonly string[]): void {
  for (const [index, id] of ids.entries()) {
    const first = ids.indexOf(id);
    if (first === index) continue;
    throw new ApiError(
      'invalid_request',
      `${ROSTER}.${index}: the same agent as ${ROSTER}.${first}; name each once`,
    );
  }
}

function requireFound(row: Found | undefined, { id, version }: Exclude<Named, 'self'>, path: string): Found {
  if (row) return row;
  const which = version === undefined ? '' : ` with version ${version}`;
  throw new ApiError('not_found', `${path}: no agent ${id}${which}`);
}

function requireCallable({ id, archivedAt, coordinates }: Found, path: string): void {
  if (archivedAt !== null) {
    throw new ApiError('invalid_request', `${path}: ${id} is archived and starts no new threads`);
  }
  if (coordinates) {
    const hint = 'agents that are called cannot call others';
    throw new ApiError('invalid_request', `${path}: ${id} has a roster of its own (multiagent); ${hint}`);
  }
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
      coordinates: sql<number>`json_type(${definition}, '$.multiagent') = 'object'`,
      sizeBytes: sql<number>`octet_length(${definition})`,
    })
    .from(agents)
    .innerJoin(agentVersions, eq(agentVersions.agentId, agents.id))
    .where(and(eq(agents.tenantId, tenantId), or(sql`FALSE`, ...wanted)));
}
