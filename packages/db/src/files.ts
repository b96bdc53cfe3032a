// Files of one tenant: what is known of them. Their content is a blob, which several files may share.
// 1. A blob is owed to be removed before it is written, until the file that has it is in the table: what a process that
//    died has left is removed when its time has come.
// 2. A file and the debt of its blob change places in one transaction: with the last file that has it, a blob goes.
import { ApiError } from '@capstan/schema/error';
import type { File } from '@capstan/schema/files';
import type { Claim } from '@capstan/schema/idempotency';
import { and, asc, desc, eq, gt, lt, type SQL, sql } from 'drizzle-orm';
import { expectBlobs, oweOf, paid, stillOwed } from './blob-debts.ts';
import { insertWhen } from './conditional-insert.ts';
import { type Listing, type Seek, seek, toPage } from './cursor.ts';
import { type ExpectedFile, type FileRow, type NewFile, newFile, toFile, toRow } from './file-rows.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { files } from './tables/files.ts';

export interface FileFilter {
  limit: number;
  page?: string | undefined;
  /** In place of a page: what follows that file, or comes before it. */
  near?: { id: string; side: 'after' | 'before' } | undefined;
  order: 'asc' | 'desc';
  /** Only outputs of that session. */
  sessionId?: string | undefined;
}

export interface FilePage {
  data: File[];
  next_page: string | null;
  has_more: boolean;
}

export class FileStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The id of a file to come, and where its content is to be written. */
  async expect(now: number): Promise<ExpectedFile> {
    const expected = newFile(this.#scope, now);
    await expectBlobs(this.#scope.db, [expected.blob], now);
    return expected;
  }

  /** Of an expected file whose content is there. With a claim, a receipt is kept: a name that is taken refuses the whole. */
  async create(input: NewFile, claim?: Claim): Promise<File> {
    const { db, tenantId } = this.#scope;
    const { id, blob, now } = input;
    const row = toRow(tenantId, input);
    const made = toFile(row);
    const from = sql`FROM ${files} WHERE ${files.id} = ${id}`;
    const [inserted] = await db.batch([
      insertWhen(db, files, { row, when: stillOwed(blob, now) }).returning({ id: files.id }),
      paid(db, { blob, fileId: id }),
      ...keepReceipt(this.#scope, claim, { id, reply: JSON.stringify(made), from, now }),
    ]);
    if (inserted.length > 0) return made;
    throw new ApiError('unavailable', 'The file took too long to arrive: upload it again', {
      retryAfterSeconds: 1,
    });
  }

  /** Null: this tenant has no such file. */
  async find(id: string): Promise<FileRow | null> {
    const [row] = await this.#scope.db.select().from(files).where(this.#named(id));
    return row ?? null;
  }

  /** The first of that name that goes with the session, of whatever kind. Null: none does. */
  async ofSession(sessionId: string, filename: string): Promise<FileRow | null> {
    const its = and(eq(files.tenantId, this.#scope.tenantId), eq(files.sessionId, sessionId));
    const [row] = await this.#scope.db
      .select()
      .from(files)
      .where(and(its, eq(files.filename, filename)))
      .orderBy(files.id)
      .limit(1);
    return row ?? null;
  }

  /** Those of them that there are, of whatever kind. */
  async rows(ids: readonly string[]): Promise<FileRow[]> {
    const named = sql`${files.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
    return this.#scope.db
      .select()
      .from(files)
      .where(and(eq(files.tenantId, this.#scope.tenantId), named));
  }

  /** Refuses (`not_found`) an unknown file. */
  async row(id: string): Promise<FileRow> {
    const row = await this.find(id);
    if (row) return row;
    throw new ApiError('not_found', `No file ${id}`);
  }

  async list(filter: FileFilter): Promise<FilePage> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'files', tenantId, ...filter };
    const at = filter.near === undefined ? seek(listing) : beside(filter, filter.near);
    const found = await db
      .select()
      .from(files)
      .where(and(this.#listed(filter.sessionId), beyond(at)))
      .orderBy(at.order === 'desc' ? desc(files.id) : asc(files.id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    // Whoever goes backwards asks whether there is more before.
    const more = at.backwards ? page.prev : page.next;
    return { data: page.rows.map(toFile), next_page: page.next, has_more: more !== null };
  }

  /** Those of them that are listed, newest first. */
  async pick(ids: readonly string[], sessionId?: string): Promise<File[]> {
    const named = sql`${files.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
    const found = await this.#scope.db
      .select()
      .from(files)
      .where(and(this.#listed(sessionId), named))
      .orderBy(desc(files.id));
    return found.map(toFile);
  }

  /** Null: this tenant has no such file. Otherwise the blobs that are no file's any more, to be settled. */
  async remove(id: string, now: number): Promise<string[] | null> {
    const { db } = this.#scope;
    const named = this.#named(id);
    const [owed, removed] = await db.batch([
      oweOf(db, named, now),
      db.delete(files).where(named).returning({ id: files.id }),
    ]);
    return removed.length === 0 ? null : owed.map(({ blob }) => blob);
  }

  #named(id: string): SQL | undefined {
    return and(eq(files.tenantId, this.#scope.tenantId), eq(files.id, id));
  }

  /** Written as the indexes of the table have it, so that they serve. */
  #listed(sessionId: string | undefined): SQL | undefined {
    const own = eq(files.tenantId, this.#scope.tenantId);
    if (sessionId === undefined) return and(own, sql`${files.kind} <> 'copy'`);
    return and(own, eq(files.sessionId, sessionId), sql`${files.kind} = 'output'`);
  }
}

/** In the older style a page lies beside a file that is named. */
function beside({ limit, order }: FileFilter, { id, side }: { id: string; side: 'after' | 'before' }): Seek {
  const backwards = side === 'before';
  const turned = order === 'asc' ? 'desc' : 'asc';
  return { id, backwards, order: backwards ? turned : order, take: limit + 1 };
}

function beyond(at: Seek): SQL | undefined {
  if (at.id === null) return undefined;
  return at.order === 'desc' ? lt(files.id, at.id) : gt(files.id, at.id);
}
