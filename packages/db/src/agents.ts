// Agents of one tenant. A version never changes once written; `agents` points at the current one.

import { requireConsistent } from '@capstan/schema/agent-rules';
import type { Agent, AgentDefinition } from '@capstan/schema/agents';
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { Metadata } from '@capstan/schema/metadata';
import type { CreatedAtBounds, Page } from '@capstan/schema/page';
import { calledBy } from '@capstan/schema/roster';
import type { AgentSkill } from '@capstan/schema/skills';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, isNull, lt, sql } from 'drizzle-orm';
import { type AgentChange, type AgentSettings, isSame, revise, withoutVersion } from './agent-settings.ts';
import { span } from './bounds.ts';
import { UPDATE_ATTEMPTS } from './contention.ts';
import { type Listing, type Seek, seek, toShortPage } from './cursor.ts';
import { archiveOfAgent } from './deployments.ts';
import { requireFit } from './fit.ts';
import { fitting, MOST_BYTES } from './fitting.ts';
import { announce, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import { type Owner, pinRoster } from './roster.ts';
import type { Scope } from './scope.ts';
import { pinSkills } from './skill-pins.ts';
import { agents, agentVersions } from './tables/agents.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewAgent {
  settings: AgentSettings;
  metadata: Metadata;
  /** Epoch ms. */
  now: number;
}

export interface AgentUpdate {
  change: AgentChange;
  /** The version that the change is meant for; absent: whichever is current. */
  expected?: number | undefined;
  /** Epoch ms. */
  now: number;
}

export interface AgentFilter {
  limit: number;
  page?: string | undefined;
  includeArchived: boolean;
  created: CreatedAtBounds;
}

export interface VersionFilter {
  limit: number;
  page?: string | undefined;
}

interface AgentRow {
  agent: typeof agents.$inferSelect;
  version: typeof agentVersions.$inferSelect;
}

export class AgentStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * Refuses agents in the roster that are unknown (`not_found`) or cannot be called (`invalid_request`).
   * With a claim, a receipt is kept: a name that is taken refuses the whole.
   */
  async create({ settings, metadata, now }: NewAgent, claim?: Claim): Promise<Agent> {
    const { db, tenantId } = this.#scope;
    const agent = {
      id: newId('agent', now),
      tenantId,
      version: 1,
      createdAt: now,
      updatedAt: now,
      archivedAt: null,
      deletedAt: null,
    };
    const definition = await this.#define(settings, { id: agent.id, version: 1 });
    const version = { tenantId, agentId: agent.id, version: 1, definition, metadata, createdAt: now };
    const made = toAgent({ agent, version });
    await db.batch([
      db.insert(agents).values(agent),
      db.insert(agentVersions).values(version),
      ...announce(this.#scope, { type: 'agent.created', id: agent.id, now }),
      ...keepReceipt(this.#scope, claim, { id: agent.id, reply: JSON.stringify(made), now }),
    ]);
    return made;
  }

  /**
   * Makes a new version, or none when nothing changes. Refuses (`conflict`) another current version than the expected
   * one, and (`invalid_request`) an archived agent. With a claim, a receipt is kept of a new version.
   */
  async update(id: string, { change, expected, now }: AgentUpdate, claim?: Claim): Promise<Agent> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const row = await this.#find(id);
      requireChangeable(row.agent, expected);
      const { definition: current, metadata: pairs } = row.version;
      const { settings, metadata } = revise(current, pairs, change);
      const owner = { id, version: current.version + 1, roster: current.multiagent, skills: current.skills };
      const definition = await this.#define(settings, owner);
      const unchanged = isSame(withoutVersion(definition), withoutVersion(current));
      if (unchanged && isSame(metadata, pairs)) return toAgent(row);
      const made = await this.#supersede(
        row,
        { ...row.version, definition, metadata, createdAt: now },
        claim,
      );
      if (made) return made;
    }
    throw new ApiError('unavailable', 'The agent is being changed: try again', { retryAfterSeconds: 1 });
  }

  /** The current version, or the one asked for. */
  async retrieve(id: string, version?: number): Promise<Agent> {
    return toAgent(await this.#find(id, version));
  }

  /** Newest first. A page of large ones ends before the limit. */
  async versions(id: string, filter: VersionFilter): Promise<Page<Agent>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: `versions of ${id}`, tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { version, agentId, definition } = agentVersions;
    const page = fitting(db, {
      table: agentVersions,
      id: version,
      size: sql<number>`octet_length(${definition})`,
      where: and(
        eq(agentVersions.tenantId, tenantId),
        eq(agentId, id),
        at.id === null ? undefined : lt(version, Number(at.id)),
      ),
      at,
    });
    const found = await db
      .select({
        id: sql<string>`CAST(${version} AS TEXT)`,
        agent: agents,
        version: agentVersions,
        matched: page.matched,
      })
      .from(page)
      // Not to be turned round: the database would read every version to find those of the page.
      .crossJoin(agentVersions)
      .innerJoin(agents, and(eq(agents.id, agentId), isNull(agents.deletedAt)))
      .where(and(lt(page.before, MOST_BYTES), eq(agentId, id), eq(version, page.id)))
      .orderBy(desc(version));
    if (found.length === 0) await this.#find(id);
    const { rows, next } = toShortPage(listing, { at, matched: found[0]?.matched ?? 0 }, found);
    return { data: rows.map(toAgent), next_page: next };
  }

  /** A page of large agents ends before the limit. */
  async list(filter: AgentFilter): Promise<Page<Agent>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'agents', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { id } = agents;
    const current = and(eq(agentVersions.agentId, id), eq(agentVersions.version, agents.version));
    const size = sql<number>`(SELECT octet_length(${agentVersions.definition}) FROM ${agentVersions} WHERE ${current})`;
    const page = fitting(db, { table: agents, id, size, where: this.#matching(filter, at), at });
    const found = await db
      .select({ id, agent: agents, version: agentVersions, matched: page.matched })
      .from(page)
      .innerJoin(agents, eq(id, page.id))
      .innerJoin(agentVersions, current)
      .where(lt(page.before, MOST_BYTES))
      .orderBy(at.order === 'desc' ? desc(id) : asc(id));
    const { rows, next } = toShortPage(listing, { at, matched: found[0]?.matched ?? 0 }, found);
    return { data: rows.map(toAgent), next_page: next };
  }

  /** With its deployments. Archiving again changes nothing. */
  async archive(id: string, now: number): Promise<Agent> {
    const { db, tenantId } = this.#scope;
    const open = and(
      eq(agents.tenantId, tenantId),
      eq(agents.id, id),
      isNull(agents.archivedAt),
      isNull(agents.deletedAt),
    );
    await db.batch([
      ...announce(this.#scope, { type: 'agent.archived', id, now }, exists(agents, open)),
      db.update(agents).set({ archivedAt: now, updatedAt: now }).where(open),
      ...archiveOfAgent(this.#scope, id, now),
    ]);
    return this.retrieve(id);
  }

  /** With its deployments archived. Versions stay where a roster has pinned them. `not_found` when it is deleted already. */
  async delete(id: string, now: number): Promise<void> {
    const { db, tenantId } = this.#scope;
    const there = and(eq(agents.tenantId, tenantId), eq(agents.id, id), isNull(agents.deletedAt));
    const results = await db.batch([
      db.select({ id: agents.id }).from(agents).where(there),
      ...announce(this.#scope, { type: 'agent.deleted', id, now }, exists(agents, there)),
      db.update(agents).set({ deletedAt: now }).where(there),
      ...archiveOfAgent(this.#scope, id, now),
    ]);
    if (results[0].length === 0) throw new ApiError('not_found', `No agent ${id}`);
  }

  #matching(filter: AgentFilter, at: Seek) {
    return and(
      eq(agents.tenantId, this.#scope.tenantId),
      isNull(agents.deletedAt),
      filter.includeArchived ? undefined : isNull(agents.archivedAt),
      span(agents.id, at, { kind: 'agent', bounds: filter.created }),
    );
  }

  async #define(
    { multiagent, skills: named, ...settings }: AgentSettings,
    owner: Owner & { skills?: readonly AgentSkill[] },
  ): Promise<AgentDefinition> {
    const { id, version } = owner;
    const skills = await pinSkills(this.#scope, named, owner.skills);
    const definition: AgentDefinition = { id, type: 'agent', version, ...settings, skills, multiagent: null };
    requireConsistent(definition);
    requireFit(definition, 'agent');
    if (multiagent === null) return definition;
    const pinned = await pinRoster(this.#scope, multiagent, {
      ...owner,
      geo: settings.model.inference_geo,
    });
    // A session keeps a copy of them all.
    const own = calledBy(pinned.multiagent).flatMap((entry) => (entry.id === id ? [definition] : []));
    requireFit([definition, ...own], 'agent and those of its roster together', {
      what: 'the pinned ones',
      sizeBytes: pinned.sizeBytes,
    });
    return { ...definition, multiagent: pinned.multiagent };
  }

  /** Null: `current` is no longer what the agent is. */
  async #supersede({ agent }: AgentRow, next: AgentRow['version'], claim?: Claim): Promise<Agent | null> {
    const { db } = this.#scope;
    const { definition, createdAt: now } = next;
    const { version } = definition;
    const still = and(
      eq(agents.id, agent.id),
      eq(agents.version, agent.version),
      isNull(agents.archivedAt),
      isNull(agents.deletedAt),
    );
    const row = { ...next, version };
    const made = toAgent({ agent: { ...agent, version, updatedAt: now }, version: row });
    const given = <K extends keyof typeof row>(name: K) =>
      sql<(typeof row)[K]>`${sql.param(row[name], agentVersions[name])}`.as(agentVersions[name].name);
    const copy = db
      .select({
        tenantId: given('tenantId'),
        agentId: given('agentId'),
        version: given('version'),
        definition: given('definition'),
        metadata: given('metadata'),
        createdAt: given('createdAt'),
      })
      .from(agents)
      .where(still);
    const reply = { reply: JSON.stringify(made), from: sql`FROM ${agents} WHERE ${still}` };
    const [inserted] = await db.batch([
      db.insert(agentVersions).select(copy).returning({ version: agentVersions.version }),
      ...keepReceipt(this.#scope, claim, { id: agent.id, now, ...reply }),
      ...announce(this.#scope, { type: 'agent.updated', id: agent.id, now }, exists(agents, still)),
      db.update(agents).set({ version, updatedAt: now }).where(still),
    ]);
    return inserted.length === 0 ? null : made;
  }

  async #find(id: string, version?: number): Promise<AgentRow> {
    const [row] = await this.#select(id, version);
    if (row) return row;
    throw new ApiError(
      'not_found',
      `No agent ${id}${version === undefined ? '' : ` with version ${version}`}`,
    );
  }

  // Not for `batch`: there D1 names columns without their table, and the two tables share names.
  #select(id: string, version?: number) {
    const { db, tenantId } = this.#scope;
    return db
      .select({ agent: agents, version: agentVersions })
      .from(agents)
      .innerJoin(
        agentVersions,
        and(eq(agentVersions.agentId, agents.id), eq(agentVersions.version, version ?? agents.version)),
      )
      .where(and(eq(agents.tenantId, tenantId), eq(agents.id, id), isNull(agents.deletedAt)));
  }
}

function requireChangeable({ id, version, archivedAt }: AgentRow['agent'], expected?: number): void {
  if (expected !== undefined && expected !== version) {
    const hint = 'read it again, and apply the change to what it is now';
    throw new ApiError('conflict', `version: ${id} is at version ${version}, not ${expected}; ${hint}`);
  }
  if (archivedAt !== null) throw new ApiError('invalid_request', `${id} is archived and cannot be changed`);
}

function toAgent({ agent, version }: AgentRow): Agent {
  const { definition } = version;
  return {
    id: agent.id,
    type: 'agent',
    version: version.version,
    name: definition.name,
    description: definition.description,
    model: definition.model,
    system: definition.system,
    tools: definition.tools,
    mcp_servers: definition.mcp_servers,
    skills: definition.skills,
    multiagent: definition.multiagent,
    execution_identity: definition.execution_identity,
    ...(definition.capstan && { capstan: definition.capstan }),
    metadata: version.metadata,
    created_at: toTimestamp(agent.createdAt),
    updated_at: toTimestamp(version.version === agent.version ? agent.updatedAt : version.createdAt),
    archived_at: agent.archivedAt === null ? null : toTimestamp(agent.archivedAt),
  };
}
