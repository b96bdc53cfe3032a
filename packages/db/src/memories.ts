// Memories of one tenant's stores.
// 1. What a path collides with, how many memories a store has and whether it takes any, the statement that writes decides:
//    writers that race get one after the other their turn, and whoever came too late is told what is in the way.
// 2. A change replaces the version that it was decided from, or is decided anew. Versions of a memory are as old as they
//    are in order: the later one has the later time.
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import { MAX_MEMORIES, type Memory, type MemoryListItem, type MemoryView } from '@capstan/schema/memories';
import { sizeOfText } from '@capstan/schema/memory-path';
import type { Actor } from '@capstan/schema/memory-versions';
import type { Page } from '@capstan/schema/page';
import { newId } from '@capstan/shared/ids';
import { and, eq, inArray, type SQL, sql } from 'drizzle-orm';
import { UPDATE_ATTEMPTS } from './contention.ts';
import { listMemories, type MemoryFilter } from './memory-lists.ts';
import { actorColumns, type MemoryRow, sha256Of, toMemory } from './memory-rows.ts';
import { hasRoom, inTheWay, isFree, isOpen, record } from './memory-statements.ts';
import { unknownStore } from './memory-stores.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { memories, memoryStores, memoryVersions } from './tables/memories.ts';

export interface MemoryKey {
  storeId: string;
  id: string;
}

export interface NewMemory {
  storeId: string;
  path: string;
  content: string;
  actor: Actor;
  view: MemoryView;
  /** Epoch ms. */
  now: number;
}

/** What is not given stays as it is. */
export interface MemoryChange {
  path?: string | undefined;
  content?: string | undefined;
  /** What the content has to be now, unless the memory is already what is asked for. */
  expectedSha256?: string | undefined;
  actor: Actor;
  view: MemoryView;
  /** Epoch ms. */
  now: number;
}

export interface MemoryDeletion {
  expectedSha256?: string | undefined;
  actor: Actor;
  /** Epoch ms. */
  now: number;
}

interface Found {
  row: MemoryRow;
  archivedAt: number | null;
}

export class MemoriesStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /**
   * Refuses an unknown store (`not_found`), one that is archived or full (`invalid_request`) and a path that is taken or
   * overlaps another (`memory_path_conflict`). With a claim, a receipt
   * without the content is kept.
   */
  async create({ storeId, path, content, actor, view, now }: NewMemory, claim?: Claim): Promise<Memory> {
    const { db, tenantId } = this.#scope;
    const row: MemoryRow = {
      id: newId('memory', now),
      tenantId,
      storeId,
      path,
      versionId: newId('memoryVersion', now),
      contentSha256: await sha256Of(content),
      contentSizeBytes: sizeOfText(content),
      createdAt: now,
      updatedAt: now,
    };
    const { id, versionId } = row;
    const made = toMemory(row, view === 'full' ? content : null);
    const when = sql`${isOpen(this.#scope, storeId)} AND ${hasRoom(storeId)} AND ${isFree(storeId, path, '')}`;
    const values = sql.join(
      Object.values(row).map((value) => sql`${value}`),
      sql`, `,
    );
    const there = eq(memories.versionId, versionId);
    const by = actorColumns(actor);
    const written = {
      storeId,
      memoryId: id,
      versionId,
      operation: 'created' as const,
      content,
      actor: by,
      now,
    };
    const { version, revision } = record(this.#scope, written, there);
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const [added] = await db.batch([
        db.insert(memories).select(sql`SELECT ${values} WHERE ${when}`).returning({ id: memories.id }),
        version,
        revision,
        ...keepReceipt(this.#scope, claim, {
          id,
          // What is redacted is gone everywhere: whoever may ask again has the content.
          reply: JSON.stringify({ ...made, content: null }),
          from: sql`FROM ${memories} WHERE ${there}`,
          now,
        }),
      ]);
      if (added.length > 0) return made;
      await this.#refuse(storeId, path, '');
    }
    throw busy();
  }

  async retrieve(key: MemoryKey, view: MemoryView): Promise<Memory> {
    const [found] = await this.#scope.db
      .select({ row: memories, content: view === 'full' ? memoryVersions.content : sql<null>`NULL` })
      .from(memories)
      .innerJoin(memoryVersions, eq(memoryVersions.id, memories.versionId))
      .where(this.#own(key));
    if (found === undefined) throw unknownMemory(key);
    return toMemory(found.row, found.content);
  }

  /**
   * Refuses what `create` does, and (`memory_precondition_failed`) a content that is another than expected. Without a
   * difference nothing is written.
   */
  async update(key: MemoryKey, change: MemoryChange): Promise<Memory> {
    const { content, view } = change;
    const digest = content === undefined ? null : await sha256Of(content);
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const { row, archivedAt } = await this.#find(key);
      if (archivedAt !== null) throw archived(key.storeId);
      const path = change.path ?? row.path;
      const contentSha256 = digest ?? row.contentSha256;
      if (path === row.path && contentSha256 === row.contentSha256) return this.#shown(row, view);
      requireExpected(row, change.expectedSha256);
      const size = content === undefined ? row.contentSizeBytes : sizeOfText(content);
      const next = { ...row, path, contentSha256, contentSizeBytes: size };
      const kept = await this.#replace(row, next, change);
      if (kept !== null) return this.#shown(kept, view);
      if (path !== row.path) await this.#refuse(key.storeId, path, key.id);
    }
    throw busy();
  }

  /** Also of an archived store. Refuses as `update` does. */
  async delete(key: MemoryKey, { expectedSha256, actor, now }: MemoryDeletion): Promise<void> {
    const { db } = this.#scope;
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const { row } = await this.#find(key);
      requireExpected(row, expectedSha256);
      const at = Math.max(now, row.updatedAt + 1);
      const versionId = newId('memoryVersion', at);
      const still = and(this.#own(key), eq(memories.versionId, row.versionId));
      const written = {
        storeId: key.storeId,
        memoryId: key.id,
        versionId,
        operation: 'deleted' as const,
        content: null,
        actor: actorColumns(actor),
        now: at,
      };
      const { version, expiry, revision } = record(this.#scope, written, still);
      const [, gone] = await db.batch([
        version,
        db.delete(memories).where(still).returning({ id: memories.id }),
        expiry,
        revision,
      ]);
      if (gone.length > 0) return;
    }
    throw busy();
  }

  /** Refuses (`not_found`) an unknown store. */
  list(filter: MemoryFilter): Promise<Page<MemoryListItem>> {
    return listMemories(this.#scope, filter);
  }

  /** All of a store's in the order of their paths, without their contents; null: there is no such store. */
  async all(storeId: string): Promise<{ revision: number; archived: boolean; rows: MemoryRow[] } | null> {
    const { db, tenantId } = this.#scope;
    const [[store], rows] = await db.batch([
      db
        .select({ revision: memoryStores.revision, archivedAt: memoryStores.archivedAt })
        .from(memoryStores)
        .where(
          and(eq(memoryStores.id, storeId), eq(memoryStores.tenantId, tenantId), sql`deleted_at IS NULL`),
        ),
      db.select().from(memories).where(this.#ofStore(storeId)).orderBy(memories.path),
    ]);
    return store === undefined
      ? null
      : { revision: store.revision, archived: store.archivedAt !== null, rows };
  }

  /** Contents by path, of those of these memories that are there. */
  async contents(storeId: string, ids: readonly string[]): Promise<{ path: string; content: string }[]> {
    if (ids.length === 0) return [];
    const found = await this.#scope.db
      .select({ path: memories.path, content: memoryVersions.content })
      .from(memories)
      .innerJoin(memoryVersions, eq(memoryVersions.id, memories.versionId))
      .where(and(this.#ofStore(storeId), inArray(memories.id, [...ids])));
    return found.map(({ path, content }) => ({ path, content: content ?? '' }));
  }

  async #replace(row: MemoryRow, next: MemoryRow, change: MemoryChange): Promise<MemoryRow | null> {
    const { db } = this.#scope;
    const { storeId, id } = row;
    const at = Math.max(change.now, row.updatedAt + 1);
    const versionId = newId('memoryVersion', at);
    const free = next.path === row.path ? undefined : isFree(storeId, next.path, id);
    const still = and(
      this.#own(row),
      eq(memories.versionId, row.versionId),
      isOpen(this.#scope, storeId),
      free,
    );
    // A memory that only moves keeps what it says.
    const before = sql`(SELECT v.content FROM memory_versions AS v WHERE v.id = ${row.versionId})`;
    const written = {
      storeId,
      memoryId: id,
      versionId,
      operation: 'modified' as const,
      content: change.content ?? before,
      actor: actorColumns(change.actor),
      now: at,
    };
    const { version, expiry, revision } = record(this.#scope, written, eq(memories.versionId, versionId));
    const { path, contentSha256, contentSizeBytes } = next;
    const [[kept]] = await db.batch([
      db
        .update(memories)
        .set({ path, contentSha256, contentSizeBytes, versionId, updatedAt: at })
        .where(still)
        .returning(),
      version,
      expiry,
      revision,
    ]);
    return kept ?? null;
  }

  async #shown(row: MemoryRow, view: MemoryView): Promise<Memory> {
    if (view === 'basic') return toMemory(row, null);
    const [found] = await this.#scope.db
      .select({ content: memoryVersions.content })
      .from(memoryVersions)
      .where(eq(memoryVersions.id, row.versionId));
    return toMemory(row, found?.content ?? '');
  }

  /** Says why nothing was written; resolves when nothing stands in the way any more. */
  async #refuse(storeId: string, path: string, except: string): Promise<void> {
    const { db, tenantId } = this.#scope;
    const { at, below } = inTheWay(storeId, path);
    const blocking = (where: SQL) =>
      db
        .select({ id: sql<string>`m.id`, path: sql<string>`m.path` })
        .from(sql`memories AS m`)
        .where(sql`${where} AND m.id <> ${except}`)
        .limit(1);
    const [[store], [above], [under]] = await db.batch([
      db
        .select({ archivedAt: memoryStores.archivedAt, room: sql<number>`${hasRoom(storeId)}` })
        .from(memoryStores)
        .where(
          and(eq(memoryStores.id, storeId), eq(memoryStores.tenantId, tenantId), sql`deleted_at IS NULL`),
        ),
      blocking(at),
      blocking(below),
    ]);
    if (store === undefined) throw unknownStore(storeId);
    if (store.archivedAt !== null) throw archived(storeId);
    const blocker = above ?? under;
    if (blocker !== undefined) throw pathConflict(path, blocker);
    if (except === '' && !store.room)
      throw new ApiError(
        'invalid_request',
        `${storeId} has ${MAX_MEMORIES} memories, as many as a store can have; delete one, or use another store`,
      );
  }

  async #find(key: MemoryKey): Promise<Found> {
    const [found] = await this.#scope.db
      .select({ row: memories, archivedAt: memoryStores.archivedAt })
      .from(memories)
      .innerJoin(memoryStores, eq(memoryStores.id, memories.storeId))
      .where(this.#own(key));
    if (found) return found;
    throw unknownMemory(key);
  }

  #ofStore(storeId: string): SQL | undefined {
    return and(eq(memories.tenantId, this.#scope.tenantId), eq(memories.storeId, storeId));
  }

  #own({ storeId, id }: MemoryKey): SQL | undefined {
    return and(this.#ofStore(storeId), eq(memories.id, id));
  }
}

function unknownMemory({ storeId, id }: MemoryKey): ApiError {
  return new ApiError('not_found', `No memory ${id} in the memory store ${storeId}`);
}

function archived(storeId: string): ApiError {
  return new ApiError(
    'invalid_request',
    `${storeId} is archived: its memories can be read and deleted, not changed`,
  );
}

function requireExpected({ id, contentSha256 }: MemoryRow, expected: string | undefined): void {
  if (expected === undefined || expected === contentSha256) return;
  throw new ApiError(
    'memory_precondition_failed',
    `${id} does not have the content that was expected; retrieve it, and decide anew`,
  );
}

function pathConflict(path: string, blocker: { id: string; path: string }): ApiError {
  const how = blocker.path === path ? 'is taken by' : `overlaps ${blocker.path} of`;
  return new ApiError(
    'memory_path_conflict',
    `path: ${path} ${how} ${blocker.id}; choose another path, or rename, update or delete that memory`,
    { members: { conflicting_memory_id: blocker.id, conflicting_path: blocker.path } },
  );
}

function busy(): ApiError {
  return new ApiError('unavailable', 'The memory is being changed: try again', { retryAfterSeconds: 1 });
}
