// Resources of one tenant's sessions. What a session has when, one statement decides: requests that race cannot mount two
// things at one place, nor more files than are allowed.
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { Page } from '@capstan/schema/page';
import {
  type FileResource,
  MAX_FILE_RESOURCES,
  type MemoryAccess,
  type SessionResource,
} from '@capstan/schema/resources';
import { and, asc, eq, gt, type SQL, sql } from 'drizzle-orm';
import { oweOf } from './blob-debts.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { keepReceipt } from './receipts.ts';
import {
  type Mountable,
  type NewFileResource,
  type ResourceRow,
  showNewFile,
  toMountable,
  toResource,
} from './resource-rows.ts';
import { filesAreThere, give } from './resource-statements.ts';
import type { Scope } from './scope.ts';
import { files } from './tables/files.ts';
import { sessionResources } from './tables/resources.ts';

export interface AddedFile {
  sessionId: string;
  resource: NewFileResource;
  /** Epoch ms. */
  now: number;
}

export class ResourceStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** What a session may do to a memory store. Null: it is not attached to it. */
  async accessTo(storeId: string, sessionId: string): Promise<MemoryAccess | null> {
    const { access, memoryStoreId, tenantId } = sessionResources;
    const attached = and(eq(memoryStoreId, storeId), eq(sessionResources.sessionId, sessionId));
    const [row] = await this.#scope.db
      .select({ access })
      .from(sessionResources)
      .where(and(eq(tenantId, this.#scope.tenantId), attached));
    return row?.access ?? null;
  }

  /** Refuses a file that is not there (`not_found`), a place that is taken and one file too many. With a claim, a receipt is kept. */
  async add({ sessionId, resource, now }: AddedFile, claim?: Claim): Promise<FileResource> {
    const { db } = this.#scope;
    const { id, mountPath } = resource;
    const made = showNewFile(resource, now);
    const there = filesAreThere(this.#scope, [resource], now) ?? sql`1`;
    const free = sql`NOT ${this.#taken(sessionId, mountPath)}`;
    const when = sql`${there} AND ${this.#hasRoom(sessionId)} AND ${free}`;
    const from = sql`FROM ${sessionResources} WHERE ${sessionResources.id} = ${id}`;
    const { copies, rows } = give(this.#scope, { sessionId, resources: [resource], when, now });
    const [, [added]] = await db.batch([
      copies,
      rows,
      ...keepReceipt(this.#scope, claim, { id, reply: JSON.stringify(made), from, now }),
    ]);
    if (added) return made;
    throw await this.#refusal({ sessionId, resource, now });
  }

  async list(
    sessionId: string,
    { limit, page }: { limit: number; page?: string | undefined },
  ): Promise<Page<SessionResource>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: `resources:${sessionId}`, tenantId, order: 'asc', limit, page };
    const at = seek(listing);
    const found = await db
      .select()
      .from(sessionResources)
      .where(and(this.#ofSession(sessionId), at.id === null ? undefined : gt(sessionResources.id, at.id)))
      .orderBy(asc(sessionResources.id))
      .limit(at.take);
    const { rows, next } = toPage(listing, at, found);
    return { data: rows.map(toResource), next_page: next };
  }

  /** All of a session's, in the order they were given, as a sandbox needs to know them. */
  async mountable(sessionId: string): Promise<Mountable[]> {
    const found = await this.#scope.db
      .select({ row: sessionResources, sizeBytes: files.sizeBytes })
      .from(sessionResources)
      .leftJoin(files, eq(files.id, sessionResources.fileId))
      .where(this.#ofSession(sessionId))
      .orderBy(asc(sessionResources.id));
    return found.flatMap(({ row, sizeBytes }) => toMountable(row, sizeBytes));
  }

  /** All of a session's, in the order they were given. */
  async rows(sessionId: string): Promise<ResourceRow[]> {
    return this.#scope.db
      .select()
      .from(sessionResources)
      .where(this.#ofSession(sessionId))
      .orderBy(asc(sessionResources.id));
  }

  /** Refuses (`not_found`) what the session does not have. */
  async row(sessionId: string, id: string): Promise<ResourceRow> {
    const [row] = await this.#scope.db.select().from(sessionResources).where(this.#named(sessionId, id));
    if (row) return row;
    throw new ApiError('not_found', `No resource ${id} in the session ${sessionId}`);
  }

  /** `token` is sealed for that row. */
  async putToken(row: ResourceRow, token: string, now: number): Promise<SessionResource> {
    const updatedAt = Math.max(now, row.updatedAt + 1);
    await this.#scope.db
      .update(sessionResources)
      .set({ token, updatedAt })
      .where(this.#named(row.sessionId, row.id));
    return toResource({ ...row, updatedAt });
  }

  /** Takes a file away, with the session's copy of it. Gives the blobs that are no file's any more, to be settled. */
  async removeFile({ sessionId, id, fileId }: ResourceRow, now: number): Promise<string[]> {
    const { db, tenantId } = this.#scope;
    const copy = and(eq(files.tenantId, tenantId), eq(files.id, fileId ?? ''), eq(files.kind, 'copy'));
    const [owed] = await db.batch([
      oweOf(db, copy, now),
      db.delete(files).where(copy),
      db.delete(sessionResources).where(this.#named(sessionId, id)),
    ]);
    return owed.map(({ blob }) => blob);
  }

  #ofSession(sessionId: string): SQL | undefined {
    return and(
      eq(sessionResources.tenantId, this.#scope.tenantId),
      eq(sessionResources.sessionId, sessionId),
    );
  }

  #named(sessionId: string, id: string): SQL | undefined {
    return and(this.#ofSession(sessionId), eq(sessionResources.id, id));
  }

  #hasRoom(sessionId: string): SQL {
    return sql`(SELECT count(*) FROM session_resources AS r WHERE r.session_id = ${sessionId} AND r.type = 'file') < ${MAX_FILE_RESOURCES}`;
  }

  /** The same place, one above it or one below it. */
  #taken(sessionId: string, path: string): SQL {
    return sql`EXISTS (SELECT 1 FROM session_resources AS r WHERE r.session_id = ${sessionId} AND (
      r.mount_path = ${path}
      OR substr(${path}, 1, length(r.mount_path) + 1) = r.mount_path || '/'
      OR substr(r.mount_path, 1, length(${path}) + 1) = ${`${path}/`}))`;
  }

  async #refusal({ sessionId, resource, now }: AddedFile): Promise<ApiError> {
    const { source, mountPath } = resource;
    const there = filesAreThere(this.#scope, [resource], now) ?? sql`1`;
    const [facts] = await this.#scope.db
      .select({
        there: sql<number>`${there}`,
        room: sql<number>`${this.#hasRoom(sessionId)}`,
        taken: sql<number>`${this.#taken(sessionId, mountPath)}`,
      })
      .from(sql`(SELECT 1)`);
    if (!facts?.there) return new ApiError('not_found', `file_id: no file ${source}, or it has expired`);
    if (!facts.room)
      return new ApiError('invalid_request', `resources: a session has at most ${MAX_FILE_RESOURCES} files`);
    return new ApiError(
      'invalid_request',
      `mount_path: ${mountPath} lies at, above or below another resource of the session; choose another one`,
    );
  }
}
