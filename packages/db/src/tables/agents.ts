// Agents and their versions.
import type { AgentDefinition } from '@capstan/schema/agents';
import type { Metadata } from '@capstan/schema/metadata';
import { sql } from 'drizzle-orm';
import { foreignKey, index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const agents = sqliteTable(
  'agents',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    version: integer().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
    /** Nobody sees it any more; versions that a roster has pinned are still called. */
    deletedAt: integer('deleted_at'),
  },
  (t) => [
    index('agents_tenant').on(t.tenantId, t.id).where(sql`deleted_at IS NULL`),
    index('agents_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL AND deleted_at IS NULL`),
  ],
);

export const agentVersions = sqliteTable(
  'agent_versions',
  {
    tenantId: text('tenant_id').notNull(),
    agentId: text('agent_id').notNull(),
    version: integer().notNull(),
    definition: text({ mode: 'json' }).$type<AgentDefinition>().notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.agentId, t.version] }),
    foreignKey({ columns: [t.agentId], foreignColumns: [agents.id] }),
  ],
);
