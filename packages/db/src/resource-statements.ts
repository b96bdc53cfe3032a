// Statements that give sessions their resources. However many they are, they travel as one parameter.
import { and, eq, gt, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm';
import { isOpen } from './memory-statements.ts';
import type { NewResource } from './resource-rows.ts';
import type { Scope } from './scope.ts';
import { files } from './tables/files.ts';
import { sessionResources } from './tables/resources.ts';

interface Giving {
  sessionId: string;
  resources: readonly NewResource[];
  /** What has to be true for anything to be given. */
  when: SQL;
  /** Epoch ms. */
  now: number;
}

/** True when each of these files is there, and has a content. */
export function filesAreThere(
  { tenantId }: Scope,
  resources: readonly NewResource[],
  now: number,
): SQL | undefined {
  const sources = resources.flatMap((resource) => (resource.type === 'file' ? [resource.source] : []));
  if (sources.length === 0) return undefined;
  const there = and(
    eq(files.tenantId, tenantId),
    isNotNull(files.blob),
    or(isNull(files.expiresAt), gt(files.expiresAt, now)),
  );
  return sql`(SELECT count(*) FROM json_each(${JSON.stringify(sources)}) AS wanted
    JOIN ${files} ON ${files.id} = wanted.value AND ${there}) = ${sources.length}`;
}

/** True when each of these memory stores is there, and not archived. */
export function storesAreOpen(scope: Scope, resources: readonly NewResource[]): SQL | undefined {
  return and(
    ...resources.flatMap((resource) =>
      resource.type === 'memory_store' ? [isOpen(scope, resource.memoryStoreId)] : [],
    ),
  );
}

/** Copies the files and inserts the resources; gives the ids of these. */
export function give({ db, tenantId }: Scope, { sessionId, resources, when, now }: Giving) {
  const text = JSON.stringify(resources);
  return {
    // In the order of the tables' columns.
    copies: db
      .insert(files)
      .select(sql`SELECT given.value ->> 'fileId', f.tenant_id, 'copy', f.filename, f.mime_type, f.size_bytes, f.digest,
        f.blob, f.downloadable, ${sessionId}, ${now}, f.expires_at
        FROM json_each(${text}) AS given JOIN files AS f
        ON f.id = given.value ->> 'source' AND f.tenant_id = ${tenantId} WHERE ${when}`),
    rows: db
      .insert(sessionResources)
      .select(sql`SELECT given.value ->> 'id', ${tenantId}, ${sessionId}, given.value ->> 'type', given.value ->> 'fileId',
        given.value ->> 'url', given.value -> 'checkout', given.value ->> 'mountPath', given.value ->> 'token',
        ${now}, ${now}, given.value ->> 'memoryStoreId', given.value ->> 'access', given.value ->> 'instructions',
        given.value ->> 'name', given.value ->> 'description'
        FROM json_each(${text}) AS given WHERE ${when} AND (given.value ->> 'fileId' IS NULL
        OR EXISTS (SELECT 1 FROM files AS copy WHERE copy.id = given.value ->> 'fileId'))`)
      .returning({ id: sessionResources.id }),
  };
}
