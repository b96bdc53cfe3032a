// Files, and the blobs that no file may have.
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const files = sqliteTable(
  'files',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    kind: text().$type<FileKind>().notNull(),
    filename: text().notNull(),
    mimeType: text('mime_type').notNull(),
    sizeBytes: integer('size_bytes').notNull(),
    /** Names the content: equal digests are equal bytes. */
    digest: text().notNull(),
    /** Where the content is; several files may share it. Null: it has expired and is gone. */
    blob: text(),
    downloadable: integer({ mode: 'boolean' }).notNull(),
    /** The session it goes with. */
    sessionId: text('session_id'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
  },
  (t) => [
    index('files_listed').on(t.tenantId, t.id).where(sql`kind <> 'copy'`),
    index('files_session').on(t.tenantId, t.sessionId, t.id).where(sql`session_id IS NOT NULL`),
    // An output is one file however often its directory is looked through.
    uniqueIndex('files_output').on(t.sessionId, t.filename, t.digest).where(sql`kind = 'output'`),
    index('files_blob').on(t.blob),
    index('files_expiry').on(t.expiresAt).where(sql`expires_at IS NOT NULL AND blob IS NOT NULL`),
  ],
);

/** Uploaded; made by an agent; or what is listed elsewhere: a session's own copy of one, and the archive of a skill. */
export type FileKind = 'upload' | 'output' | 'copy';

/** Blobs that no file may have: of uploads under way, and of files that are gone. Past its time a blob is removed. */
export const blobDebts = sqliteTable(
  'blob_debts',
  { blob: text().primaryKey(), dueAt: integer('due_at').notNull() },
  (t) => [index('blob_debts_due').on(t.dueAt)],
);
