// A session resource's row, and the resource as the API shows it. Sessions are read together with theirs, in one query.
import type { Checkout, FileResource, SessionResource } from '@capstan/schema/resources';
import { type SQL, sql } from 'drizzle-orm';
import type { sessionResources } from './tables/resources.ts';
import { toTimestamp } from './timestamp.ts';

export type ResourceRow = typeof sessionResources.$inferSelect;

/** What is mounted, as it comes with a new session. */
export type NewResource = { id: string; mountPath: string } & (
  | { type: 'file' /** The file that is copied. */; source: string /** The copy. */; fileId: string }
  | { type: 'github_repository'; url: string; checkout: Checkout | null /** Sealed. */; token: string | null }
);

export type NewFileResource = Extract<NewResource, { type: 'file' }>;

/** Whose secret a token is: what it is sealed for. */
export function tokenIdentity(tenantId: string, resourceId: string): string {
  return `${tenantId}/session_resources/${resourceId}/token`;
}

type Shown = Omit<ResourceRow, 'tenantId' | 'sessionId' | 'token' | 'memoryStoreId'>;

export function toResource(row: Shown): SessionResource {
  const { id, mountPath } = row;
  const times = { created_at: toTimestamp(row.createdAt), updated_at: toTimestamp(row.updatedAt) };
  return row.type === 'file'
    ? { id, type: 'file', file_id: row.fileId ?? '', mount_path: mountPath, ...times }
    : {
        id,
        type: 'github_repository',
        url: row.url ?? '',
        mount_path: mountPath,
        checkout: row.checkout,
        ...times,
      };
}

/** A new one as it is shown. `now` is epoch ms. */
export function showNew(resource: NewResource, now: number): SessionResource {
  if (resource.type === 'file') return showNewFile(resource, now);
  const { id, type, url, checkout, mountPath } = resource;
  return toResource({ id, type, fileId: null, url, checkout, mountPath, createdAt: now, updatedAt: now });
}

export function showNewFile({ id, fileId, mountPath }: NewFileResource, now: number): FileResource {
  const times = { created_at: toTimestamp(now), updated_at: toTimestamp(now) };
  return { id, type: 'file', file_id: fileId, mount_path: mountPath, ...times };
}

/** A resource as the sandbox of its session needs to know it. */
export type Mountable =
  | { type: 'file'; id: string; mountPath: string; fileId: string; sizeBytes: number }
  | {
      type: 'github_repository';
      id: string;
      mountPath: string;
      url: string;
      checkout: Checkout | null;
      hasToken: boolean;
    };

/** `sizeBytes` null: the file is gone, and its content with it. */
export function toMountable(row: ResourceRow, sizeBytes: number | null): Mountable {
  const { id, mountPath, fileId, url, checkout, token } = row;
  return row.type === 'file'
    ? { type: 'file', id, mountPath, fileId: fileId ?? '', sizeBytes: sizeBytes ?? 0 }
    : { type: 'github_repository', id, mountPath, url: url ?? '', checkout, hasToken: token !== null };
}

type Columns = [
  string,
  SessionResource['type'],
  string | null,
  string | null,
  string | null,
  string,
  number,
  number,
];

/** All of a session's, in the order they were given, as a column of a query over sessions. */
export const resourcesOfSession: SQL<SessionResource[]> = sql`(
  SELECT json_group_array(json_array(id, type, file_id, url, checkout, mount_path, created_at, updated_at))
  FROM (SELECT * FROM session_resources AS r WHERE r.session_id = sessions.id ORDER BY r.id)
)`.mapWith((text: string) => {
  const rows: Columns[] = JSON.parse(text);
  return rows.map(([id, type, fileId, url, checkout, mountPath, createdAt, updatedAt]) =>
    toResource({
      id,
      type,
      fileId,
      url,
      checkout: checkout === null ? null : JSON.parse(checkout),
      mountPath,
      createdAt,
      updatedAt,
    }),
  );
});

/** What the resources of a session take in an answer, roughly, in bytes. */
export const sizeOfResources: SQL<number> = sql`(
  SELECT count(*) * 300 FROM session_resources AS r WHERE r.session_id = sessions.id
)`;
