// A file's row, and the file as the API shows it.
import type { File } from '@capstan/schema/files';
import { newId } from '@capstan/shared/ids';
import type { Content } from './blobs.ts';
import type { Scope } from './scope.ts';
import type { FileKind, files } from './tables/files.ts';
import { toTimestamp } from './timestamp.ts';

export type FileRow = typeof files.$inferSelect;

/** Of a file to come: its id, and where its content is to be written. */
export interface ExpectedFile {
  id: string;
  /** The key of the content. */
  blob: string;
}

/** Its content is there. What agents make has a way of its own (`session-outputs.ts`). */
export interface NewFile extends ExpectedFile {
  kind: Exclude<FileKind, 'output'>;
  content: Content;
  filename: string;
  mimeType: string;
  downloadable: boolean;
  sessionId?: string | null;
  /** Epoch ms. */
  expiresAt?: number | null;
  /** Epoch ms. */
  now: number;
}

export function newFile({ tenantId }: Pick<Scope, 'tenantId'>, now: number): ExpectedFile {
  const id = newId('file', now);
  return { id, blob: `t/${tenantId}/files/${id}` };
}

export function toRow(tenantId: string, { content, now, ...input }: NewFile): FileRow {
  const { sessionId = null, expiresAt = null } = input;
  return { ...input, ...content, tenantId, sessionId, expiresAt, createdAt: now };
}

export function toFile(row: Omit<FileRow, 'blob' | 'digest' | 'kind' | 'tenantId'>): File {
  return {
    id: row.id,
    type: 'file',
    filename: row.filename,
    mime_type: row.mimeType,
    size_bytes: row.sizeBytes,
    created_at: toTimestamp(row.createdAt),
    downloadable: row.downloadable,
    expires_at: row.expiresAt === null ? null : toTimestamp(row.expiresAt),
    scope: row.sessionId === null ? null : { type: 'session', id: row.sessionId },
  };
}
