// Statements that change memories. Each is conditional on what it was decided from, and the version is written only where
// the memory came to be what the version says: in one batch they happen all together or not at all.
import { MAX_MEMORIES } from '@capstan/schema/memories';
import { ancestorsOf } from '@capstan/schema/memory-path';
import {
  type MemoryOperation,
  RECENT_VERSIONS,
  VERSION_RETENTION_DAYS,
} from '@capstan/schema/memory-versions';
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm';
import type { Scope } from './scope.ts';
import { type ActorType, memories, memoryStores, memoryVersions } from './tables/memories.ts';

const RETENTION_MS = VERSION_RETENTION_DAYS * 24 * 3_600_000;

/** The store is there, and not archived. */
export function isOpen({ tenantId }: Scope, storeId: string): SQL {
  return sql`EXISTS (SELECT 1 FROM memory_stores AS s WHERE s.id = ${storeId} AND s.tenant_id = ${tenantId}
    AND s.archived_at IS NULL AND s.deleted_at IS NULL)`;
}

export function hasRoom(storeId: string): SQL {
  return sql`(SELECT count(*) FROM memories AS m WHERE m.store_id = ${storeId}) < ${MAX_MEMORIES}`;
}

/** Memories at the path, above it and below it, as conditions on `m`: each is a part of the index. */
export function inTheWay(storeId: string, path: string): { at: SQL; below: SQL } {
  const upwards = JSON.stringify([...ancestorsOf(path), path]);
  return {
    at: sql`m.store_id = ${storeId} AND m.path IN (SELECT value FROM json_each(${upwards}))`,
    // "0" follows "/".
    below: sql`m.store_id = ${storeId} AND m.path > ${`${path}/`} AND m.path < ${`${path}0`}`,
  };
}

/** Nothing is in the way but the memory of that id. */
export function isFree(storeId: string, path: string, except: string): SQL {
  const { at, below } = inTheWay(storeId, path);
  return sql`NOT EXISTS (SELECT 1 FROM memories AS m WHERE ${at} AND m.id <> ${except})
    AND NOT EXISTS (SELECT 1 FROM memories AS m WHERE ${below} AND m.id <> ${except})`;
}

export interface Written {
  storeId: string;
  memoryId: string;
  versionId: string;
  operation: MemoryOperation;
  /** A value, or an expression over `memories`. */
  content: string | SQL | null;
  actor: { type: ActorType; id: string };
  /** Epoch ms. */
  now: number;
}

/** The version of a memory that is `from` of the table, and what follows from there being one more. */
export function record({ db, tenantId }: Scope, written: Written, from: SQL | undefined) {
  const { storeId, memoryId, versionId, operation, content, actor, now } = written;
  const gone = operation === 'deleted';
  const digest = gone ? sql`NULL` : sql`${memories.contentSha256}`;
  const size = gone ? sql`NULL` : sql`${memories.contentSizeBytes}`;
  const isWritten = sql`EXISTS (SELECT 1 FROM memory_versions AS v WHERE v.id = ${versionId})`;
  const ofMemory = and(eq(memoryVersions.storeId, storeId), eq(memoryVersions.memoryId, memoryId));
  const notRecent = sql`(SELECT v.id FROM memory_versions AS v WHERE v.store_id = ${storeId}
    AND v.memory_id = ${memoryId} ORDER BY v.id DESC LIMIT 1 OFFSET ${RECENT_VERSIONS})`;
  return {
    // In the order of the table's columns.
    version: db
      .insert(memoryVersions)
      .select(sql`SELECT ${versionId}, ${tenantId}, ${storeId}, ${memoryId}, ${operation},
      ${memories.path}, ${content}, ${digest}, ${size}, ${now}, ${actor.type}, ${actor.id}, NULL, NULL, NULL, NULL
      FROM ${memories} WHERE ${from}`),
    /** Of a memory that is there, the version that is not among the recent ones any more. */
    expiry: db
      .update(memoryVersions)
      .set({ expiresAt: sql`${memoryVersions.createdAt} + ${RETENTION_MS}` })
      .where(
        gone
          ? and(ofMemory, isNull(memoryVersions.expiresAt), isWritten)
          : and(eq(memoryVersions.id, notRecent), isNull(memoryVersions.expiresAt)),
      ),
    revision: db
      .update(memoryStores)
      .set({ revision: sql`${memoryStores.revision} + 1` })
      .where(and(eq(memoryStores.id, storeId), eq(memoryStores.tenantId, tenantId), isWritten)),
  };
}
