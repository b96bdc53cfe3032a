// Webhook events that are to be told, until they are swept.
import type { KeptEventType, PING, WebhookSubject } from '@capstan/schema/webhook-events';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const outbox = sqliteTable(
  'outbox',
  {
    /** What receivers know the event by. */
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    /** The name it is kept by, or a ping. */
    type: text().$type<KeptEventType | typeof PING>().notNull(),
    subject: text({ mode: 'json' }).$type<WebhookSubject>().notNull(),
    createdAt: integer('created_at').notNull(),
    /** When a delivery was made for each endpoint that wants it; null: that is owed. */
    sharedOutAt: integer('shared_out_at'),
  },
  (t) => [
    index('outbox_tenant').on(t.tenantId, t.createdAt, t.id),
    index('outbox_age').on(t.createdAt),
    index('outbox_owed').on(t.createdAt).where(sql`shared_out_at IS NULL`),
  ],
);
