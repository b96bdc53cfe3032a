// Memory stores of one tenant. A store that is deleted is gone at once for everybody; what its memories were is removed in
// pieces, as much may have been written: its row stands for that until the last piece has gone.
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { MemoryStore } from '@capstan/schema/memory-stores';
import { type Metadata, type MetadataPatch, patchMetadata } from '@capstan/schema/metadata';
import type { CreatedAtBounds, Page } from '@capstan/schema/page';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import { span } from './bounds.ts';
import { UPDATE_ATTEMPTS } from './contention.ts';
import { type Listing, type Seek, seek, toPage } from './cursor.ts';
import { clearStore } from './memory-sweep.ts';
import { announce, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { memories, memoryStores } from './tables/memories.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewMemoryStore {
  name: string;
  description: string;
  metadata: Metadata;
  /** Epoch ms. */
  now: number;
}

/** What is not given stays as it is. */
export interface MemoryStoreChange {
  name?: string | undefined;
  description?: string | undefined;
  metadata?: MetadataPatch | undefined;
}

export interface MemoryStoreFilter {
  limit: number;
  page?: string | undefined;
  includeArchived: boolean;
  created: CreatedAtBounds;
}

type Row = typeof memoryStores.$inferSelect;

/** What who mounts a store has to know of it. */
export type StoreStanding = Pick<Row, 'id' | 'name' | 'description' | 'revision' | 'archivedAt'>;

export class MemoryStoresStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** With a claim, a receipt is kept: a name that is taken refuses the whole. */
  async create(input: NewMemoryStore, claim?: Claim): Promise<MemoryStore> {
    const { db, tenantId } = this.#scope;
    const { now, ...said } = input;
    const id = newId('memoryStore', now);
    const times = { createdAt: now, updatedAt: now, archivedAt: null, deletedAt: null };
    const row = { id, tenantId, ...said, revision: 0, ...times };
    const made = toMemoryStore(row);
    await db.batch([
      db.insert(memoryStores).values(row),
      ...announce(this.#scope, { type: 'memory_store.created', id, now }),
      ...keepReceipt(this.#scope, claim, { id, reply: JSON.stringify(made), now }),
    ]);
    return made;
  }

  async retrieve(id: string): Promise<MemoryStore> {
    return toMemoryStore(await this.#find(id));
  }

  /** Refuses (`invalid_request`) an archived one. Changes that race are made one after the other. */
  async update(id: string, change: MemoryStoreChange, now: number): Promise<MemoryStore> {
    const { db } = this.#scope;
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const row = await this.#find(id);
      if (row.archivedAt !== null)
        throw new ApiError('invalid_request', `${id} is archived and cannot be changed`);
      const next = revise(row, change);
      if (isSame(row, next)) return toMemoryStore(row);
      // Later than the last change, so that no two of them have the same time.
      const updatedAt = Math.max(now, row.updatedAt + 1);
      const { updatedAt: seen, archivedAt } = memoryStores;
      const still = and(this.#own(id), eq(seen, row.updatedAt), isNull(archivedAt));
      const [kept] = await db
        .update(memoryStores)
        .set({ ...next, updatedAt })
        .where(still)
        .returning();
      if (kept) return toMemoryStore(kept);
    }
    throw new ApiError('unavailable', 'The memory store is being changed: try again', {
      retryAfterSeconds: 1,
    });
  }

  /** Archiving again changes nothing. */
  async archive(id: string, now: number): Promise<MemoryStore> {
    const { db } = this.#scope;
    const updatedAt = sql`max(${now}, ${memoryStores.updatedAt})`;
    const open = and(this.#own(id), isNull(memoryStores.archivedAt));
    await db.batch([
      ...announce(this.#scope, { type: 'memory_store.archived', id, now }, exists(memoryStores, open)),
      db.update(memoryStores).set({ archivedAt: now, updatedAt }).where(open),
    ]);
    return this.retrieve(id);
  }

  /** With its memories and their versions. `not_found` when it is deleted already. */
  async delete(id: string, now: number): Promise<void> {
    const { db, tenantId } = this.#scope;
    const [, gone] = await db.batch([
      ...announce(
        this.#scope,
        { type: 'memory_store.deleted', id, now },
        exists(memoryStores, this.#own(id)),
      ),
      db.update(memoryStores).set({ deletedAt: now }).where(this.#own(id)).returning({ id: memoryStores.id }),
      db.delete(memories).where(and(eq(memories.tenantId, tenantId), eq(memories.storeId, id))),
    ]);
    if (gone.length === 0) throw unknownStore(id);
    await clearStore(db, id);
  }

  async list(filter: MemoryStoreFilter): Promise<Page<MemoryStore>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'memory_stores', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const found = await db
      .select()
      .from(memoryStores)
      .where(this.#matching(filter, at))
      .orderBy(at.order === 'desc' ? desc(memoryStores.id) : asc(memoryStores.id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toMemoryStore), next_page: page.next };
  }

  /** Those of these that are there. */
  async standing(ids: readonly string[]): Promise<StoreStanding[]> {
    if (ids.length === 0) return [];
    const { id, name, description, revision, archivedAt } = memoryStores;
    return this.#scope.db
      .select({ id, name, description, revision, archivedAt })
      .from(memoryStores)
      .where(and(this.#there(), inArray(id, [...ids])));
  }

  #matching(filter: MemoryStoreFilter, at: Seek): SQL | undefined {
    const { id, archivedAt } = memoryStores;
    return and(
      this.#there(),
      filter.includeArchived ? undefined : isNull(archivedAt),
      span(id, at, { kind: 'memoryStore', bounds: filter.created }),
    );
  }

  async #find(id: string): Promise<Row> {
    const [row] = await this.#scope.db.select().from(memoryStores).where(this.#own(id));
    if (row) return row;
    throw unknownStore(id);
  }

  #there(): SQL | undefined {
    return and(eq(memoryStores.tenantId, this.#scope.tenantId), isNull(memoryStores.deletedAt));
  }

  #own(id: string): SQL | undefined {
    return and(this.#there(), eq(memoryStores.id, id));
  }
}

export function unknownStore(id: string): ApiError {
  return new ApiError('not_found', `No memory store ${id}`);
}

type Told = Pick<Row, 'name' | 'description' | 'metadata'>;

function revise(
  row: Row,
  { name = row.name, description = row.description, metadata }: MemoryStoreChange,
): Told {
  return {
    name,
    description,
    metadata: metadata === undefined ? row.metadata : patchMetadata(row.metadata, metadata),
  };
}

function isSame(row: Row, { name, description, metadata }: Told): boolean {
  const pairs = (of: Metadata) => JSON.stringify(Object.entries(of).toSorted());
  return row.name === name && row.description === description && pairs(row.metadata) === pairs(metadata);
}

function toMemoryStore(row: Row): MemoryStore {
  return {
    id: row.id,
    type: 'memory_store',
    name: row.name,
    description: row.description,
    metadata: row.metadata,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
    archived_at: row.archivedAt === null ? null : toTimestamp(row.archivedAt),
  };
}
