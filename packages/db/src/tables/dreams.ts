// Dreams.
import type {
  DreamError,
  DreamModel,
  DreamOutputBehavior,
  DreamStatus,
  DreamUsage,
} from '@capstan/schema/dreams';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const dreams = sqliteTable(
  'dreams',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    status: text().$type<DreamStatus>().notNull(),
    /** What it reads. */
    storeId: text('store_id').notNull(),
    /** In their order. */
    sessionIds: text('session_ids', { mode: 'json' }).$type<string[]>().notNull(),
    model: text({ mode: 'json' }).$type<DreamModel>().notNull(),
    instructions: text(),
    output: text().$type<DreamOutputBehavior['type']>().notNull(),
    /** What it writes to: chosen with it, there from `startedAt` on. */
    targetId: text('target_id').notNull(),
    /** The session that does the work: chosen with it, there from `begunAt` on. */
    sessionId: text('session_id').notNull(),
    /** How that session came to rest first; null: it has not. */
    rested: text().$type<'succeeded' | 'failed'>(),
    usage: text({ mode: 'json' }).$type<DreamUsage>().notNull(),
    error: text({ mode: 'json' }).$type<DreamError>(),
    createdAt: integer('created_at').notNull(),
    startedAt: integer('started_at'),
    begunAt: integer('begun_at'),
    endedAt: integer('ended_at'),
    /** Its session is over: nothing is written any more. */
    releasedAt: integer('released_at'),
    archivedAt: integer('archived_at'),
  },
  (t) => [
    index('dreams_tenant').on(t.tenantId, t.id),
    index('dreams_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL`),
    index('dreams_status').on(t.tenantId, t.status, sql`(archived_at IS NULL)`, t.id),
    index('dreams_session').on(t.sessionId),
    index('dreams_held').on(t.tenantId, t.targetId).where(sql`released_at IS NULL`),
  ],
);
