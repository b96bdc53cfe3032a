// Environments.
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { Metadata } from '@capstan/schema/metadata';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import type { ImageRecord } from '../image-record.ts';

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
    /** Null: it has none of its own. */
    image: text({ mode: 'json' }).$type<ImageRecord>(),
    /** When something is to be done about the image; null: nothing is. */
    imageDueAt: integer('image_due_at'),
    /** When a sandbox was last made from it. */
    imageUsedAt: integer('image_used_at'),
    /** How many sandboxes are kept ready. */
    warmSandboxes: integer('warm_sandboxes').notNull().default(0),
    /** When its pool was last rung by the sweep. */
    warmRungAt: integer('warm_rung_at'),
    /** One more with each change of what sessions are made from, or of how it is called. */
    version: integer().notNull().default(1),
  },
  (t) => [
    index('environments_tenant').on(t.tenantId, t.id),
    index('environments_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL`),
    index('environments_image_due').on(t.imageDueAt).where(sql`image_due_at IS NOT NULL`),
    index('environments_warm').on(t.warmRungAt).where(sql`warm_sandboxes > 0`),
    uniqueIndex('environments_default').on(t.tenantId).where(sql`is_default = 1`),
  ],
);
