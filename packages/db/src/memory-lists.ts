// Lists of memories by path, whole or one level at a time, and of their versions, newest first.
import type { MemoryListItem, MemoryView } from '@capstan/schema/memories';
import { MAX_FULL_PAGE } from '@capstan/schema/memories';
import type { MemoryOperation, MemoryVersion } from '@capstan/schema/memory-versions';
import type { CreatedAtBounds, Page } from '@capstan/schema/page';
import { and, asc, desc, eq, getTableColumns, gt, lt, type SQL, sql } from 'drizzle-orm';
import { span } from './bounds.ts';
import { type Listing, type Seek, seek, toPage } from './cursor.ts';
import { toMemory, toVersion } from './memory-rows.ts';
import { unknownStore } from './memory-stores.ts';
import type { Scope } from './scope.ts';
import { memories, memoryStores, memoryVersions } from './tables/memories.ts';

const DEFAULT_LIMIT = 20;

interface Paged {
  storeId: string;
  /** Absent: 20. With `full` a page has at most 20. */
  limit?: number | undefined;
  page?: string | undefined;
  view: MemoryView;
}

export interface MemoryFilter extends Paged {
  /** Ends with `/`. */
  prefix?: string | undefined;
  /** 1: what lies deeper is told by a prefix. */
  depth: number;
}

export interface VersionFilter extends Paged {
  memoryId?: string | undefined;
  operation?: MemoryOperation | undefined;
  sessionId?: string | undefined;
  apiKeyId?: string | undefined;
  serviceAccountId?: string | undefined;
  created: CreatedAtBounds;
}

/** Refuses (`not_found`) an unknown store. A page goes on behind the last path of the one before, whatever became of it. */
export async function listMemories(scope: Scope, filter: MemoryFilter): Promise<Page<MemoryListItem>> {
  const { db, tenantId } = scope;
  const { storeId, view } = filter;
  const listing: Listing = { list: `memories:${storeId}`, tenantId, order: 'asc', ...paged(filter) };
  const at = seek(listing);
  const item = itemOf(filter);
  const items = db
    .select({ item: item.as('item') })
    .from(memories)
    .where(and(within(scope, filter), beyond(item, at)))
    .groupBy(sql`item`)
    .orderBy(at.order === 'asc' ? sql`item` : sql`item DESC`)
    .limit(at.take)
    .as('items');
  const content = view === 'full' ? memoryVersions.content : sql<null>`NULL`;
  const [store, found] = await db.batch([
    storeThere(scope, storeId),
    db
      .select({ item: items.item, row: memories, content })
      .from(items)
      .leftJoin(memories, and(eq(memories.storeId, storeId), eq(memories.path, items.item)))
      .leftJoin(memoryVersions, eq(memoryVersions.id, memories.versionId))
      .orderBy(at.order === 'asc' ? asc(items.item) : desc(items.item)),
  ]);
  if (store.length === 0) throw unknownStore(storeId);
  const { rows, next } = toPage(
    listing,
    at,
    found.map((one) => ({ ...one, id: toKey(one.item) })),
  );
  const data = rows.map(({ item: path, row, content: text }) =>
    row === null ? { type: 'memory_prefix' as const, path } : toMemory(row, text),
  );
  return { data, next_page: next };
}

/** Refuses (`not_found`) an unknown store. */
export async function listVersions(scope: Scope, filter: VersionFilter): Promise<Page<MemoryVersion>> {
  const { db, tenantId } = scope;
  const { storeId, view } = filter;
  const listing: Listing = { list: `memory_versions:${storeId}`, tenantId, order: 'desc', ...paged(filter) };
  const at = seek(listing);
  const { id } = memoryVersions;
  const ordered = at.order === 'desc' ? desc : asc;
  const content = view === 'full' ? memoryVersions.content : sql<null>`NULL`;
  const ids = db
    .select({ id: sql<string>`${id}`.as('listed_id') })
    .from(sql`${memoryVersions} INDEXED BY ${sql.identifier(indexFor(filter))}`)
    .where(matching(scope, filter, at))
    .orderBy(ordered(id))
    .limit(at.take)
    .as('ids');
  const [store, found] = await db.batch([
    storeThere(scope, storeId),
    db
      .select({ ...getTableColumns(memoryVersions), content })
      .from(ids)
      .innerJoin(memoryVersions, eq(id, ids.id))
      .orderBy(ordered(ids.id)),
  ]);
  if (store.length === 0) throw unknownStore(storeId);
  const { rows, next } = toPage(listing, at, found);
  return { data: rows.map(toVersion), next_page: next };
}

function paged({ limit = DEFAULT_LIMIT, page, view }: Paged): { limit: number; page?: string | undefined } {
  return { limit: view === 'full' ? Math.min(limit, MAX_FULL_PAGE) : limit, page };
}

function storeThere({ db, tenantId }: Scope, storeId: string) {
  return db
    .select({ id: memoryStores.id })
    .from(memoryStores)
    .where(and(eq(memoryStores.id, storeId), eq(memoryStores.tenantId, tenantId), sql`deleted_at IS NULL`));
}

/** What stands for a memory in the list: its path, or the directory it lies in. */
function itemOf({ prefix = '/', depth }: MemoryFilter): SQL<string> {
  const { path } = memories;
  if (depth === 0) return sql<string>`${path}`;
  const start = sql`length(${prefix})`;
  const slash = sql`instr(substr(${path}, ${start} + 1), '/')`;
  return sql<string>`CASE ${slash} WHEN 0 THEN ${path} ELSE substr(${path}, 1, ${start} + ${slash}) END`;
}

function within({ tenantId }: Scope, { storeId, prefix = '/' }: MemoryFilter): SQL | undefined {
  const below = prefix === '/' ? undefined : and(gt(memories.path, prefix), lt(memories.path, after(prefix)));
  return and(eq(memories.storeId, storeId), eq(memories.tenantId, tenantId), below);
}

/** The first text that no path below the prefix comes after: "0" follows "/". */
function after(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

/** What is after the last item is after the last path too, which the index knows. */
function beyond(item: SQL, at: Seek): SQL | undefined {
  if (at.id === null) return undefined;
  const last = fromKey(at.id);
  if (at.order === 'desc') return sql`${item} < ${last}`;
  return and(sql`${item} > ${last}`, gt(memories.path, last));
}

/** Each of them ends with the id. Which one is narrowest the database cannot know, and it would take any. */
function indexFor({ memoryId, sessionId, apiKeyId, serviceAccountId, operation }: VersionFilter): string {
  if (memoryId !== undefined) return 'memory_versions_memory';
  if ((sessionId ?? apiKeyId ?? serviceAccountId) !== undefined) return 'memory_versions_actor';
  return operation === undefined ? 'memory_versions_store' : 'memory_versions_operation';
}

function matching({ tenantId }: Scope, filter: VersionFilter, at: Seek): SQL | undefined {
  const { id, storeId, memoryId, operation, actorType, actorId } = memoryVersions;
  const by = (type: typeof actorType._.data, who: string | undefined) =>
    who === undefined ? undefined : and(eq(actorType, type), eq(actorId, who));
  return and(
    eq(storeId, filter.storeId),
    eq(memoryVersions.tenantId, tenantId),
    filter.memoryId === undefined ? undefined : eq(memoryId, filter.memoryId),
    filter.operation === undefined ? undefined : eq(operation, filter.operation),
    by('session_actor', filter.sessionId),
    by('api_actor', filter.apiKeyId),
    by('service_account_actor', filter.serviceAccountId),
    span(id, at, { kind: 'memoryVersion', bounds: filter.created }),
  );
}

/** Cursors are ASCII. */
function toKey(path: string): string {
  return Array.from(new TextEncoder().encode(path), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromKey(key: string): string {
  const bytes = (key.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
