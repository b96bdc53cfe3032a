// What one memory store says, copied into another of the same tenant. In pieces: each is one transaction, and whoever dies
// between two of them goes on with what the other store does not have yet.
import { newId } from '@capstan/shared/ids';
import { and, eq, sql } from 'drizzle-orm';
import { actorColumns } from './memory-rows.ts';
import { isOpen } from './memory-statements.ts';
import type { Scope } from './scope.ts';
import { memories, memoryStores, memoryVersions } from './tables/memories.ts';

export interface Copying {
  from: string;
  to: string;
  /** In whose name it is written. */
  sessionId: string;
  /** Epoch ms. */
  now: number;
}

/** A memory may have 100 KB. */
const AT_ONCE = 50;

/** Ends early when the other store is archived or deleted. */
export async function copyMemories(scope: Scope, copying: Copying): Promise<void> {
  const { db, tenantId } = scope;
  const { from, to, now } = copying;
  // One that came to lie above or below a path meanwhile is left out.
  const there = sql`EXISTS (SELECT 1 FROM memories AS t WHERE t.store_id = ${to} AND (t.path = memories.path
    OR substr(memories.path, 1, length(t.path) + 1) = t.path || '/'
    OR substr(t.path, 1, length(memories.path) + 1) = memories.path || '/'))`;
  for (;;) {
    const left = await db
      .select({ versionId: memories.versionId })
      .from(memories)
      .where(and(eq(memories.tenantId, tenantId), eq(memories.storeId, from), sql`NOT ${there}`))
      .orderBy(memories.path)
      .limit(AT_ONCE);
    if (left.length === 0) return;
    const given = left.map((memory) => ({
      from: memory.versionId,
      id: newId('memory', now),
      version: newId('memoryVersion', now),
    }));
    if ((await copySome(scope, copying, JSON.stringify(given))) === 0) return;
  }
}

async function copySome(scope: Scope, { to, sessionId, now }: Copying, given: string): Promise<number> {
  const { db, tenantId } = scope;
  const actor = actorColumns({ type: 'session_actor', session_id: sessionId });
  const member = (name: string) => sql.raw(`given.value ->> '$.${name}'`);
  const [versions] = await db.batch([
    // In the order of the tables' columns.
    db
      .insert(memoryVersions)
      .select(sql`SELECT ${member('version')}, ${tenantId}, ${to}, ${member('id')}, 'created', v.path, v.content,
        v.content_sha256, v.content_size_bytes, ${now}, ${actor.type}, ${actor.id}, NULL, NULL, NULL, NULL
        FROM json_each(${given}) AS given JOIN memory_versions AS v ON v.id = ${member('from')}
        AND v.tenant_id = ${tenantId} AND v.path IS NOT NULL WHERE ${isOpen(scope, to)}`)
      .returning({ id: memoryVersions.id }),
    db
      .insert(memories)
      .select(sql`SELECT v.memory_id, ${tenantId}, ${to}, v.path, v.id, v.content_sha256, v.content_size_bytes, ${now}, ${now}
        FROM json_each(${given}) AS given JOIN memory_versions AS v ON v.id = ${member('version')}`),
    db
      .update(memoryStores)
      .set({ revision: sql`${memoryStores.revision} + 1` })
      .where(and(eq(memoryStores.id, to), eq(memoryStores.tenantId, tenantId))),
  ]);
  return versions.length;
}
