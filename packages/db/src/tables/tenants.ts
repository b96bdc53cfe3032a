// Tenants, and what says who acts for one. Instants in every table are epoch ms; every row that belongs to someone carries `tenant_id`.
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const tenants = sqliteTable('tenants', {
  id: text().primaryKey(),
  name: text().notNull(),
  createdAt: integer('created_at').notNull(),
});

export const apiKeys = sqliteTable(
  'api_keys',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id')
      .notNull()
      .references(() => tenants.id),
    name: text().notNull(),
    /** SHA-256 of the key, lower-case hex. The key itself is never stored. */
    hash: text().notNull(),
    lastFour: text('last_four').notNull(),
    createdAt: integer('created_at').notNull(),
    revokedAt: integer('revoked_at'),
  },
  (t) => [uniqueIndex('api_keys_hash').on(t.hash), index('api_keys_tenant').on(t.tenantId, t.id)],
);

export const loginCodes = sqliteTable('login_codes', {
  /** SHA-256 of the code, lower-case hex. */
  hash: text().primaryKey(),
  tenantId: text('tenant_id').notNull(),
  apiKeyId: text('api_key_id').notNull(),
  apiKeyName: text('api_key_name').notNull(),
  apiKeyLastFour: text('api_key_last_four').notNull(),
  expiresAt: integer('expires_at').notNull(),
});
