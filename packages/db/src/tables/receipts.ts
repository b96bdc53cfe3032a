// What was answered to requests that may be repeated.
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const receipts = sqliteTable(
  'receipts',
  {
    /** Names the request; where only its body does, the id of what it made is added. */
    name: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    /** A digest of the request's body. */
    fingerprint: text().notNull(),
    /** What was made. */
    resourceId: text('resource_id').notNull(),
    /** The answer's body, JSON. */
    reply: text().notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('receipts_expiry').on(t.expiresAt)],
);
