// What model calls took.
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** What model calls took: lines are only added, and outlive their session. */
export const ledger = sqliteTable(
  'ledger',
  {
    /** The event that ended the call. */
    eventId: text('event_id').primaryKey(),
    tenantId: text('tenant_id').notNull(),
    sessionId: text('session_id').notNull(),
    threadId: text('thread_id').notNull(),
    agentId: text('agent_id').notNull(),
    agentVersion: integer('agent_version').notNull(),
    kind: text().$type<LedgerKind>().notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    inputTokens: integer('input_tokens').notNull(),
    outputTokens: integer('output_tokens').notNull(),
    cacheReadTokens: integer('cache_read_tokens').notNull(),
    cacheWriteTokens: integer('cache_write_tokens').notNull(),
    /** Null: no list price was known. */
    costNanoUsd: integer('cost_nano_usd'),
    at: integer().notNull(),
    /** The call never answered: nobody told what it took, and this is what it may have taken. */
    estimated: integer({ mode: 'boolean' }).notNull().default(false),
  },
  (t) => [index('ledger_tenant').on(t.tenantId, t.at)],
);

/** What a call was made for. */
export type LedgerKind = 'model' | 'compaction' | 'grading' | 'permission';
