// A session resource's row, and the resource as the API shows it. Sessions are read together with theirs, in one query.
import type { AttachedMemoryStore, Checkout, FileResource, SessionResource } from '@capstan/schema/resources';
import { type SQL, sql } from 'drizzle-orm';
import type { sessionResources } from './tables/resources.ts';
import { toTimestamp } from './timestamp.ts';

export type ResourceRow = typeof sessionResources.$inferSelect;

/** What is mounted, as it comes with a new session. */
export type NewResource = { id: string; mountPath: string } & (
  | { type: 'file' /** The file that is copied. */; source: string /** The copy. */; fileId: string }
  | { type: 'github_repository'; url: string; checkout: Checkout | null /** Sealed. */; token: string | null }
  | ({ type: 'memory_store' } & Attachment)
);

type Attachment = Omit<AttachedMemoryStore, 'mountPath'>;

export type NewFileResource = Extract<NewResource, { type: 'file' }>;

/** Whose secret a token is: what it is sealed for. */
export function tokenIdentity(tenantId: string, resourceId: string): string {
  return `${tenantId}/session_resources/${resourceId}/token`;
}

type Shown = Omit<ResourceRow, 'tenantId' | 'sessionId' | 'token'>;

export function toResource(row: Shown): SessionResource {
  const { id, type, mountPath } = row;
  const times = { created_at: toTimestamp(row.createdAt), updated_at: toTimestamp(row.updatedAt) };
  switch (type) {
    case 'file':
      return { id, type, file_id: row.fileId ?? '', mount_path: mountPath, ...times };
    case 'github_repository': {
      const { url, checkout } = row;
      return { id, type, url: url ?? '', mount_path: mountPath, checkout, ...times };
    }
    case 'memory_store': {
      const { memoryStoreId, ...attached } = toAttachedStore(row);
      return { type, memory_store_id: memoryStoreId, ...attached, mount_path: mountPath };
    }
  }
}

type AttachedRow = Pick<ResourceRow, keyof Attachment>;

export function toAttachedStore(row: AttachedRow): Attachment {
  return {
    memoryStoreId: row.memoryStoreId ?? '',
    access: row.access ?? 'read_only',
    instructions: row.instructions,
    name: row.name ?? '',
    description: row.description ?? '',
  };
}

const NOTHING: Omit<Shown, 'id' | 'type' | 'mountPath' | 'createdAt' | 'updatedAt'> = {
  fileId: null,
  url: null,
  checkout: null,
  memoryStoreId: null,
  access: null,
  instructions: null,
  name: null,
  description: null,
};

/** A new one as it is shown. `now` is epoch ms. */
export function showNew(resource: NewResource, now: number): SessionResource {
  return toResource({ ...NOTHING, ...resource, createdAt: now, updatedAt: now });
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

/** `sizeBytes` null: the file is gone, and its content with it. Memory stores are of the session's definition. */
export function toMountable(row: ResourceRow, sizeBytes: number | null): Mountable[] {
  const { id, type, mountPath, fileId, url, checkout, token } = row;
  switch (type) {
    case 'file':
      return [{ type, id, mountPath, fileId: fileId ?? '', sizeBytes: sizeBytes ?? 0 }];
    case 'github_repository':
      return [{ type, id, mountPath, url: url ?? '', checkout, hasToken: token !== null }];
    case 'memory_store':
      return [];
  }
}

/** Everything that is shown, by the names of the row; `checkout` is JSON here. */
type Columns = Omit<Shown, 'checkout'> & { checkout: string | null };

/** All of a session's, in the order they were given, as a column of a query over sessions. */
export const resourcesOfSession: SQL<SessionResource[]> = sql`(
  SELECT json_group_array(json_object('id', id, 'type', type, 'fileId', file_id, 'url', url, 'checkout', checkout,
    'mountPath', mount_path, 'createdAt', created_at, 'updatedAt', updated_at, 'memoryStoreId', memory_store_id,
    'access', access, 'instructions', instructions, 'name', name, 'description', description))
  FROM (SELECT * FROM session_resources AS r WHERE r.session_id = sessions.id ORDER BY r.id)
)`.mapWith((text: string) => {
  const rows: Columns[] = JSON.parse(text);
  return rows.map((row) => {
    const checkout = row.checkout === null ? null : JSON.parse(row.checkout);
    return toResource({ ...row, checkout });
  });
});

/** What the resources of a session take in an answer, roughly, in bytes. */
export const sizeOfResources: SQL<number> = sql`(
  SELECT coalesce(sum(300 + coalesce(octet_length(instructions) + octet_length(description), 0)), 0)
  FROM session_resources AS r WHERE r.session_id = sessions.id
)`;

/** The memory stores of a session, in the order they were given, as a column of a query over sessions. */
export const memoryStoresOfSession: SQL<AttachedMemoryStore[]> = sql`(
  SELECT json_group_array(json_object('memoryStoreId', memory_store_id, 'access', access, 'instructions', instructions,
    'name', name, 'description', description, 'mountPath', mount_path))
  FROM (SELECT * FROM session_resources AS r
    WHERE r.session_id = sessions.id AND r.type = 'memory_store' ORDER BY r.id)
)`.mapWith((text: string): AttachedMemoryStore[] => JSON.parse(text));
