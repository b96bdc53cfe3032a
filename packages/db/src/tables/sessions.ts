// Sessions: their definition, and a copy of what lists show of them.
import type { AgentSnapshot, AgentTools } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Metadata } from '@capstan/schema/metadata';
import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import type { SessionStatus } from '@capstan/schema/sessions';
import type { SessionUsage } from '@capstan/schema/usage';
import { sql } from 'drizzle-orm';
import { index, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** What a fork begins with. */
export interface Origin {
  sessionId: string;
  eventId: string;
  /** Of the sandbox; absent or null: there is none that it could begin with. */
  snapshot?: OriginSnapshot | null;
}

export interface OriginSnapshot {
  imageId: string;
  snapshotId: string;
  /** Epoch ms. */
  takenAt: number;
  upTo: string | null;
  marked: boolean;
}

const IS_OPEN = sql`(archived_at IS NULL)`;

export const sessions = sqliteTable(
  'sessions',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    /** The primary thread. */
    threadId: text('thread_id').notNull(),
    agentId: text('agent_id').notNull(),
    agent: text({ mode: 'json' }).$type<AgentSnapshot>().notNull(),
    environmentId: text('environment_id').notNull(),
    environment: text({ mode: 'json' }).$type<EnvironmentConfig>().notNull(),
    title: text(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    createdAt: integer('created_at').notNull(),
    /** From here on an index: the session itself is the truth, this copy serves lists. */
    status: text().$type<SessionStatus>().notNull(),
    usage: text({ mode: 'json' }).$type<SessionUsage>().notNull(),
    activeSeconds: real('active_seconds').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
    budget: text({ mode: 'json' }).$type<Budget>(),
    outcomeEvaluations: text('outcome_evaluations', { mode: 'json' })
      .$type<OutcomeEvaluation[]>()
      .notNull()
      .default([]),
    /** Of the definition: what was sent with the creation. */
    initialEvents: text('initial_events', { mode: 'json' }).$type<EventParam[]>().notNull().default([]),
    /** Of the definition: the session whose log this one begins with, the last event it takes over, and its snapshot. */
    origin: text({ mode: 'json' }).$type<Origin>(),
    /** Of the definition: whose credentials it may use. */
    vaultIds: text('vault_ids', { mode: 'json' }).$type<string[]>().notNull().default([]),
    /** Of the definition: what started it; null: a caller of the API. */
    deploymentId: text('deployment_id'),
    /** Of the index: the tools and MCP servers of its agent, where they are no longer as it was created with. */
    agentTools: text('agent_tools', { mode: 'json' }).$type<AgentTools>(),
  },
  (t) => [
    index('sessions_tenant').on(t.tenantId, t.id),
    // Lists leave archived sessions out unless asked, and mostly look for the few that run.
    index('sessions_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL`),
    index('sessions_agent').on(t.tenantId, t.agentId, IS_OPEN, t.id),
    index('sessions_status').on(t.tenantId, t.status, IS_OPEN, t.id),
    index('sessions_agent_version').on(
      t.tenantId,
      sql`(agent_id || '@' || (agent ->> '$.version'))`,
      IS_OPEN,
      t.id,
    ),
    index('sessions_deployment')
      .on(t.tenantId, t.deploymentId, IS_OPEN, t.id)
      .where(sql`deployment_id IS NOT NULL`),
    // Those whose workers may ask for skills.
    index('sessions_skilled')
      .on(t.tenantId, t.environmentId, t.id)
      .where(sql`instr(agent, '"skill_id":') > 0`),
    // Those that may have to be told of a change in a vault.
    index('sessions_vaults').on(t.tenantId, t.updatedAt).where(sql`vault_ids <> '[]'`),
  ],
);
