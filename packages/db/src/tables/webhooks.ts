// Webhook endpoints, and what was sent to them or is to be sent.
import type { DeliveryAttempt, DeliveryStatus, WebhookDelivery } from '@capstan/schema/webhook-deliveries';
import type { WebhookFilter } from '@capstan/schema/webhook-events';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const webhookEndpoints = sqliteTable(
  'webhook_endpoints',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    url: text().notNull(),
    name: text().notNull(),
    description: text().notNull(),
    enabledEvents: text('enabled_events', { mode: 'json' }).$type<WebhookFilter[]>().notNull(),
    state: text({ enum: ['enabled', 'disabled'] }).notNull(),
    /** Empty: it is enabled, or its owner has disabled it. */
    disabledReason: text('disabled_reason').notNull(),
    /** Sealed. */
    secret: text().notNull(),
    /** Sealed: the secret before, which signs as well until then. */
    previousSecret: text('previous_secret'),
    previousUntil: integer('previous_until'),
    /** It gets what happens from then on. */
    enabledAt: integer('enabled_at').notNull(),
    /** Every attempt since then has failed; null: the last one did not. */
    failingSince: integer('failing_since'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    index('webhook_endpoints_tenant').on(t.tenantId, t.id),
    index('webhook_endpoints_enabled').on(t.id).where(sql`state = 'enabled'`),
  ],
);

export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    endpointId: text('endpoint_id').notNull(),
    eventId: text('event_id').notNull(),
    /** The name that the endpoint wants the event under. */
    type: text().$type<WebhookDelivery['event_type']>().notNull(),
    status: text().$type<DeliveryStatus>().notNull(),
    /** Asked for again by the endpoint's owner. */
    replay: integer({ mode: 'boolean' }).notNull(),
    attempts: text({ mode: 'json' }).$type<DeliveryAttempt[]>().notNull(),
    /** When it is tried next; null: it is over. */
    dueAt: integer('due_at'),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    index('webhook_deliveries_endpoint').on(t.tenantId, t.endpointId, t.id),
    index('webhook_deliveries_status').on(t.tenantId, t.endpointId, t.status, t.id),
    index('webhook_deliveries_due').on(t.endpointId, t.dueAt).where(sql`due_at IS NOT NULL`),
    index('webhook_deliveries_late').on(t.dueAt).where(sql`due_at IS NOT NULL`),
    index('webhook_deliveries_age').on(t.createdAt),
    uniqueIndex('webhook_deliveries_once').on(t.endpointId, t.eventId).where(sql`replay = 0`),
  ],
);
