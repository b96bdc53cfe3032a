// Versions of the memories of one tenant's stores. A version is written with the change it tells of; after that only
// redaction touches it, and what a memory is now is never taken out of it.
import { ApiError } from '@capstan/schema/error';
import type { MemoryView } from '@capstan/schema/memories';
import type { Actor, MemoryVersion } from '@capstan/schema/memory-versions';
import type { Page } from '@capstan/schema/page';
import { and, eq, exists, getTableColumns, isNull, notExists, type SQL, sql } from 'drizzle-orm';
import { listVersions, type VersionFilter } from './memory-lists.ts';
import { actorColumns, toVersion } from './memory-rows.ts';
import type { Scope } from './scope.ts';
import { memories, memoryStores, memoryVersions } from './tables/memories.ts';

export interface VersionKey {
  storeId: string;
  id: string;
}

export class MemoryVersionsStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  list(filter: VersionFilter): Promise<Page<MemoryVersion>> {
    return listVersions(this.#scope, filter);
  }

  async retrieve(key: VersionKey, view: MemoryView): Promise<MemoryVersion> {
    const content = view === 'full' ? memoryVersions.content : sql<null>`NULL`;
    const [row] = await this.#scope.db
      .select({ ...getTableColumns(memoryVersions), content })
      .from(memoryVersions)
      .where(this.#own(key));
    if (row) return toVersion(row);
    throw new ApiError('not_found', `No memory version ${key.id} in the memory store ${key.storeId}`);
  }

  /** For good; doing it again changes nothing. Refuses (`invalid_request`) what a memory is now. */
  async redact(key: VersionKey, actor: Actor, now: number): Promise<MemoryVersion> {
    const { db } = this.#scope;
    const by = actorColumns(actor);
    const isHead = db.select({ one: sql`1` }).from(memories).where(eq(memories.versionId, key.id));
    const nothing = { path: null, content: null, contentSha256: null, contentSizeBytes: null };
    await db
      .update(memoryVersions)
      .set({ ...nothing, redactedAt: now, redactedByType: by.type, redactedById: by.id })
      .where(and(this.#own(key), isNull(memoryVersions.redactedAt), notExists(isHead)));
    const version = await this.retrieve(key, 'full');
    if (version.redacted_at !== null) return version;
    throw new ApiError(
      'invalid_request',
      `${key.id} is what ${version.memory_id} is now; change or delete the memory, then redact this version`,
    );
  }

  #own({ storeId, id }: VersionKey): SQL | undefined {
    const { db, tenantId } = this.#scope;
    const there = db
      .select({ one: sql`1` })
      .from(memoryStores)
      .where(and(eq(memoryStores.id, storeId), isNull(memoryStores.deletedAt)));
    return and(
      eq(memoryVersions.id, id),
      eq(memoryVersions.storeId, storeId),
      eq(memoryVersions.tenantId, tenantId),
      exists(there),
    );
  }
}
