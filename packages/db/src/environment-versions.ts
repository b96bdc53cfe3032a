// What an environment was: a row for each version, written in the same batch as the change that made it.
import type { EnvironmentVersion } from '@capstan/schema/environment-versions';
import { USUAL_MACHINE } from '@capstan/schema/machine';
import type { Page } from '@capstan/schema/page';
import { and, desc, eq, getTableColumns, lt, type SQL, sql } from 'drizzle-orm';
import { type Listing, seek, toShortPage } from './cursor.ts';
import { wireConfig } from './environment-wire.ts';
import { fitting, MOST_BYTES } from './fitting.ts';
import type { Scope } from './scope.ts';
import { environmentVersions } from './tables/environment-versions.ts';
import { environments } from './tables/environments.ts';
import { toTimestamp } from './timestamp.ts';

/** A statement, for after the one that makes or changes them: keeps the environments of that condition as they are now. */
export function keepVersion({ db, tenantId }: Scope, which: SQL | undefined) {
  const { id, version, name, description, config, metadata, scope, updatedAt } = environments;
  const from = {
    tenantId: environments.tenantId,
    environmentId: id,
    version,
    name,
    description,
    config,
    metadata,
    scope,
    createdAt: updatedAt,
  };
  const known = new Map(Object.entries(from));
  const values = Object.keys(getTableColumns(environmentVersions)).map((column) => sql`${known.get(column)}`);
  const where = and(eq(environments.tenantId, tenantId), which);
  return (
    db
      .insert(environmentVersions)
      .select(sql`SELECT ${sql.join(values, sql`, `)} FROM ${environments} WHERE ${where}`)
      // Whoever lost a race finds the version of whoever won it.
      .onConflictDoNothing()
  );
}

export class EnvironmentVersionStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Newest first. A page of large ones ends before the limit. None of an environment that is not there. */
  async list(
    id: string,
    filter: { limit: number; page?: string | undefined },
  ): Promise<Page<EnvironmentVersion>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: `versions of ${id}`, tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { version, environmentId, config } = environmentVersions;
    const own = and(eq(environmentVersions.tenantId, tenantId), eq(environmentId, id));
    const page = fitting(db, {
      table: environmentVersions,
      id: version,
      size: sql<number>`octet_length(${config})`,
      where: and(own, at.id === null ? undefined : lt(version, Number(at.id))),
      at,
    });
    const found = await db
      .select({
        id: sql<string>`CAST(${version} AS TEXT)`,
        row: environmentVersions,
        matched: page.matched,
      })
      .from(page)
      // Not to be turned round: the database would read every version to find those of the page.
      .crossJoin(environmentVersions)
      .where(and(lt(page.before, MOST_BYTES), own, eq(version, page.id)))
      .orderBy(desc(version));
    const { rows, next } = toShortPage(listing, { at, matched: found[0]?.matched ?? 0 }, found);
    return { data: rows.map(({ row }) => toVersion(row)), next_page: next };
  }
}

function toVersion(row: typeof environmentVersions.$inferSelect): EnvironmentVersion {
  const { config } = row;
  return {
    type: 'environment_version',
    environment_id: row.environmentId,
    version: row.version,
    name: row.name,
    description: row.description,
    config: wireConfig(config),
    metadata: row.metadata,
    scope: row.scope,
    capstan: { machine: config.type === 'cloud' ? (config.machine ?? USUAL_MACHINE) : null },
    created_at: toTimestamp(row.createdAt),
  };
}
