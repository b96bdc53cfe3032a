// Environments.
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { Metadata } from '@capstan/schema/metadata';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const environments = sqliteTable(
  'environments',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    name: text().notNull(),
    description: text(),
    config: text({ mode: 'json' }).$type<EnvironmentConfig>().notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    scope: text({ enum: ['organization', 'account'] }).notNull(),
    /** What a session gets that names no environment: at most one per tenant. */
    isDefault: integer('is_default', { mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
  },
  (t) => [
    index('environments_tenant').on(t.tenantId, t.id),
    index('environments_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL`),
    uniqueIndex('environments_default').on(t.tenantId).where(sql`is_default = 1`),
  ],
);
