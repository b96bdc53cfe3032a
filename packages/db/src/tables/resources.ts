// What is mounted in sandboxes, and whose snapshots their images are.
import type { Checkout, MemoryAccess, SessionResource } from '@capstan/schema/resources';
import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/** What is mounted in the sandboxes of sessions. */
export const sessionResources = sqliteTable(
  'session_resources',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    sessionId: text('session_id').notNull(),
    type: text().$type<SessionResource['type']>().notNull(),
    /** Of a file: the session's own copy. */
    fileId: text('file_id'),
    /** Of a repository. */
    url: text(),
    checkout: text({ mode: 'json' }).$type<Checkout>(),
    mountPath: text('mount_path').notNull(),
    /** Of a repository: sealed for this row. */
    token: text(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** Of a memory store. */
    memoryStoreId: text('memory_store_id'),
    /** This and the next three: of a memory store, the last two as it was called at the creation of the session. */
    access: text().$type<MemoryAccess>(),
    instructions: text(),
    name: text(),
    description: text(),
  },
  (t) => [
    uniqueIndex('session_resources_session').on(t.sessionId, t.id),
    index('session_resources_memory_store')
      .on(t.tenantId, t.memoryStoreId, t.sessionId)
      .where(sql`memory_store_id IS NOT NULL`),
  ],
);

/** Images of sandboxes' snapshots that more than one session has held, and who holds them. */
export const snapshotHolders = sqliteTable(
  'snapshot_holders',
  {
    imageId: text('image_id').notNull(),
    sessionId: text('session_id').notNull(),
    tenantId: text('tenant_id').notNull(),
  },
  (t) => [primaryKey({ columns: [t.imageId, t.sessionId] })],
);
