// A file's row, and the file as the API shows it.
import type { File } from '@capstan/schema/files';
import type { Content } from './blobs.ts';
import type { FileKind, files } from './tables/files.ts';
import { toTimestamp } from './timestamp.ts';

export type FileRow = typeof files.$inferSelect;

export interface NewFile {
  id: string;
  kind: FileKind;
  /** The key of the content, which is there. */
  blob: string;
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
