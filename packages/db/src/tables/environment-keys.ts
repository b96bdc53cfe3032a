// Keys that workers of self-hosted environments poll with.
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const environmentKeys = sqliteTable(
  'environment_keys',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    environmentId: text('environment_id').notNull(),
    name: text().notNull(),
    /** SHA-256 of the key, lower-case hex. The key itself is never stored. */
    hash: text().notNull(),
    prefix: text().notNull(),
    lastFour: text('last_four').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    uniqueIndex('environment_keys_hash').on(t.hash),
    index('environment_keys_environment').on(t.tenantId, t.environmentId, t.id),
  ],
);
