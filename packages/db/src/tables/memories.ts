// Memory stores, the memories in them, and the versions of these.
import type { MemoryOperation } from '@capstan/schema/memory-versions';
import type { Metadata } from '@capstan/schema/metadata';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const memoryStores = sqliteTable(
  'memory_stores',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    name: text().notNull(),
    description: text().notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    /** One more with each change to its memories. */
    revision: integer().notNull().default(0),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
    /** Nobody sees it any more: it stands until all its versions have gone. */
    deletedAt: integer('deleted_at'),
  },
  (t) => [
    index('memory_stores_tenant').on(t.tenantId, t.id).where(sql`deleted_at IS NULL`),
    index('memory_stores_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL AND deleted_at IS NULL`),
    index('memory_stores_deleted').on(t.deletedAt).where(sql`deleted_at IS NOT NULL`),
  ],
);

/** The texts are those of their latest versions. */
export const memories = sqliteTable(
  'memories',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    storeId: text('store_id').notNull(),
    path: text().notNull(),
    /** The latest. */
    versionId: text('version_id').notNull(),
    contentSha256: text('content_sha256').notNull(),
    contentSizeBytes: integer('content_size_bytes').notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    uniqueIndex('memories_path').on(t.storeId, t.path),
    uniqueIndex('memories_version').on(t.versionId),
  ],
);

export const memoryVersions = sqliteTable(
  'memory_versions',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    storeId: text('store_id').notNull(),
    memoryId: text('memory_id').notNull(),
    operation: text().$type<MemoryOperation>().notNull(),
    /** This and the next three: null in what was redacted; but for the path, in a deletion. */
    path: text(),
    content: text(),
    contentSha256: text('content_sha256'),
    contentSizeBytes: integer('content_size_bytes'),
    createdAt: integer('created_at').notNull(),
    actorType: text('actor_type').$type<ActorType>().notNull(),
    actorId: text('actor_id').notNull(),
    redactedAt: integer('redacted_at'),
    redactedByType: text('redacted_by_type').$type<ActorType>(),
    redactedById: text('redacted_by_id'),
    /** Null as long as it is among the recent ones of a memory that is there. */
    expiresAt: integer('expires_at'),
  },
  (t) => [
    index('memory_versions_store').on(t.storeId, t.id),
    index('memory_versions_operation').on(t.storeId, t.operation, t.id),
    index('memory_versions_memory').on(t.storeId, t.memoryId, t.id),
    index('memory_versions_actor').on(t.storeId, t.actorId, t.id),
    index('memory_versions_expiry').on(t.expiresAt).where(sql`expires_at IS NOT NULL`),
  ],
);

export type ActorType = 'session_actor' | 'api_actor' | 'user_actor' | 'service_account_actor';
