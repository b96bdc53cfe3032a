// Keys of self-hosted environments of one tenant, by what is left of them: a hash, how they begin and how they end.
// A revoked key's row is gone.
import type { EnvironmentKey } from '@capstan/schema/environment-keys';
import { MAX_ENVIRONMENT_KEYS } from '@capstan/schema/environment-keys';
import { ApiError } from '@capstan/schema/error';
import type { Page } from '@capstan/schema/page';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, gt, lt, type SQL, sql } from 'drizzle-orm';
import { insertWhen } from './conditional-insert.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import type { Database } from './database.ts';
import type { Scope } from './scope.ts';
import { environmentKeys } from './tables/environment-keys.ts';
import { environments } from './tables/environments.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewEnvironmentKey {
  environmentId: string;
  name: string;
  /** SHA-256 of the key, lower-case hex. */
  hash: string;
  prefix: string;
  lastFour: string;
  /** Epoch ms. */
  now: number;
}

type Row = typeof environmentKeys.$inferSelect;
export type EnvironmentKeyRecord = Pick<Row, 'id' | 'tenantId' | 'environmentId' | 'name' | 'lastFour'>;

/** Not bound to a tenant, because it finds one. Null: no such key, or it was revoked. */
export async function findEnvironmentKey(
  db: Database,
  by: { hash: string } | { id: string },
): Promise<EnvironmentKeyRecord | null> {
  const { id, tenantId, environmentId, name, lastFour, hash } = environmentKeys;
  const [row] = await db
    .select({ id, tenantId, environmentId, name, lastFour })
    .from(environmentKeys)
    .where('hash' in by ? eq(hash, by.hash) : eq(id, by.id));
  return row ?? null;
}

export class EnvironmentKeyStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Refuses (`not_found`) an unknown environment, and (`invalid_request`) one that is not self-hosted, or has enough keys. */
  async create({ now, ...input }: NewEnvironmentKey): Promise<EnvironmentKey> {
    const { db, tenantId } = this.#scope;
    const row = { id: newId('environmentKey', now), tenantId, ...input, createdAt: now };
    // The statement decides: requests that race cannot make one too many, nor one of an environment that goes meanwhile.
    const inserted = await insertWhen(db, environmentKeys, {
      row,
      when: this.#mayHave(input.environmentId),
    }).returning({ id: environmentKeys.id });
    if (inserted.length > 0) return toEnvironmentKey(row);
    throw await this.#refusal(input.environmentId);
  }

  #mayHave(environmentId: string): SQL {
    const { tenantId } = this.#scope;
    return sql`EXISTS (SELECT 1 FROM environments AS e WHERE e.id = ${environmentId} AND e.tenant_id = ${tenantId}
        AND json_extract(e.config, '$.type') = 'self_hosted')
      AND (SELECT count(*) FROM environment_keys AS k WHERE k.tenant_id = ${tenantId}
        AND k.environment_id = ${environmentId}) < ${MAX_ENVIRONMENT_KEYS}`;
  }

  async list(
    environmentId: string,
    page: { limit: number; page?: string | undefined },
  ): Promise<Page<EnvironmentKey>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: `environment_keys:${environmentId}`, tenantId, order: 'desc', ...page };
    const at = seek(listing);
    const { id } = environmentKeys;
    const beyond = at.id === null ? undefined : at.order === 'desc' ? lt(id, at.id) : gt(id, at.id);
    const found = await db
      .select()
      .from(environmentKeys)
      .where(and(this.#in(environmentId), beyond))
      .orderBy(at.order === 'desc' ? desc(id) : asc(id))
      .limit(at.take);
    const { rows, next } = toPage(listing, at, found);
    return { data: rows.map(toEnvironmentKey), next_page: next };
  }

  /** Revokes it. Refuses (`not_found`) an unknown one. */
  async delete(environmentId: string, keyId: string): Promise<void> {
    const gone = await this.#scope.db
      .delete(environmentKeys)
      .where(and(this.#in(environmentId), eq(environmentKeys.id, keyId)))
      .returning({ id: environmentKeys.id });
    if (gone.length === 0) throw new ApiError('not_found', `No key ${keyId} of ${environmentId}`);
  }

  #in(environmentId: string) {
    return and(
      eq(environmentKeys.tenantId, this.#scope.tenantId),
      eq(environmentKeys.environmentId, environmentId),
    );
  }

  /** Why there is none more. */
  async #refusal(environmentId: string): Promise<ApiError> {
    const { db, tenantId } = this.#scope;
    const own = and(eq(environments.tenantId, tenantId), eq(environments.id, environmentId));
    const type = sql<string>`json_extract(${environments.config}, '$.type')`;
    const [environment] = await db.select({ type }).from(environments).where(own);
    if (environment === undefined) {
      const reason = 'environment_not_found';
      return new ApiError('not_found', `No environment ${environmentId}`, { reason });
    }
    if (environment.type !== 'self_hosted') {
      const how = 'only workers of a self_hosted environment need a key';
      return new ApiError('invalid_request', `${environmentId} is a cloud environment: ${how}`);
    }
    const how = 'delete one that is not used any more';
    return new ApiError(
      'invalid_request',
      `${environmentId} has ${MAX_ENVIRONMENT_KEYS} keys, which is the most: ${how}`,
    );
  }
}

function toEnvironmentKey(row: Row): EnvironmentKey {
  return {
    id: row.id,
    type: 'environment_key',
    environment_id: row.environmentId,
    name: row.name,
    prefix: row.prefix,
    last_four: row.lastFour,
    created_at: toTimestamp(row.createdAt),
  };
}
