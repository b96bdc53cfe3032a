// Agents of one tenant. A version never changes once written; `agents` points at the current one.
import type { Agent, AgentDefinition, ThreadAgent } from '@capstan/schema/agents';
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { Metadata } from '@capstan/schema/metadata';
import type { MultiagentParam } from '@capstan/schema/multiagent';
import type { CreatedAtBounds, Page } from '@capstan/schema/page';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, gt, isNull, lt } from 'drizzle-orm';
import { within } from './bounds.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { requireFit } from './fit.ts';
import { keepReceipt } from './receipts.ts';
import { type Owner, pinRoster } from './roster.ts';
import type { Scope } from './scope.ts';
import { agents, agentVersions } from './tables.ts';
import { toTimestamp } from './timestamp.ts';

/** An agent's settings with every default filled in; the agents it may call are looked up when it is saved. */
export interface AgentSettings extends Omit<ThreadAgent, 'id' | 'type' | 'version'> {
  multiagent: MultiagentParam | null;
}

export interface NewAgent {
  settings: AgentSettings;
  metadata: Metadata;
  /** Epoch ms. */
  now: number;
}

export interface AgentFilter {
  limit: number;
  page?: string | undefined;
  includeArchived: boolean;
  created: CreatedAtBounds;
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
    };
    const definition = await this.#define(settings, { id: agent.id, version: 1 });
    const version = { tenantId, agentId: agent.id, version: 1, definition, metadata, createdAt: now };
    const made = toAgent({ agent, version });
    await db.batch([
      db.insert(agents).values(agent),
      db.insert(agentVersions).values(version),
      ...keepReceipt(this.#scope, claim, { id: agent.id, reply: JSON.stringify(made), now }),
    ]);
    return made;
  }

  /** The current version, or the one asked for. */
  async retrieve(id: string, version?: number): Promise<Agent> {
    const [row] = await this.#select(id, version);
    if (row) return toAgent(row);
    throw new ApiError(
      'not_found',
      `No agent ${id}${version === undefined ? '' : ` with version ${version}`}`,
    );
  }

  async list(filter: AgentFilter): Promise<Page<Agent>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'agents', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const found = await db
      .select({ id: agents.id, agent: agents, version: agentVersions })
      .from(agents)
      .innerJoin(
        agentVersions,
        and(eq(agentVersions.agentId, agents.id), eq(agentVersions.version, agents.version)),
      )
      .where(
        and(
          eq(agents.tenantId, tenantId),
          filter.includeArchived ? undefined : isNull(agents.archivedAt),
          within(agents.createdAt, filter.created),
          at.id === null ? undefined : at.order === 'desc' ? lt(agents.id, at.id) : gt(agents.id, at.id),
        ),
      )
      .orderBy(at.order === 'desc' ? desc(agents.id) : asc(agents.id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toAgent), next_page: page.next };
  }

  /** Archiving again changes nothing. */
  async archive(id: string, now: number): Promise<Agent> {
    const { db, tenantId } = this.#scope;
    await db
      .update(agents)
      .set({ archivedAt: now, updatedAt: now })
      .where(and(eq(agents.tenantId, tenantId), eq(agents.id, id), isNull(agents.archivedAt)));
    return this.retrieve(id);
  }

  async #define(settings: AgentSettings, owner: Owner): Promise<AgentDefinition> {
    const definition: AgentDefinition = { type: 'agent', ...owner, ...settings, multiagent: null };
    requireFit(definition, 'agent');
    if (settings.multiagent === null) return definition;
    const { multiagent, sizeBytes } = await pinRoster(this.#scope, settings.multiagent, owner);
    // A session keeps a copy of them all.
    const own = multiagent.agents.some(({ id }) => id === owner.id) ? [definition] : [];
    requireFit([definition, ...own], 'agent and those of its roster together', sizeBytes);
    return { ...definition, multiagent };
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
      .where(and(eq(agents.tenantId, tenantId), eq(agents.id, id)));
  }
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
    metadata: version.metadata,
    created_at: toTimestamp(agent.createdAt),
    updated_at: toTimestamp(agent.updatedAt),
    archived_at: agent.archivedAt === null ? null : toTimestamp(agent.archivedAt),
  };
}
