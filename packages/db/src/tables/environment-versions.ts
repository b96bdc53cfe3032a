// What environments were, version by version.
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { Metadata } from '@capstan/schema/metadata';
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const environmentVersions = sqliteTable(
  'environment_versions',
  {
    tenantId: text('tenant_id').notNull(),
    environmentId: text('environment_id').notNull(),
    version: integer().notNull(),
    name: text().notNull(),
    description: text(),
    config: text({ mode: 'json' }).$type<EnvironmentConfig>().notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    scope: text({ enum: ['organization', 'account'] }).notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.environmentId, t.version] })],
);
