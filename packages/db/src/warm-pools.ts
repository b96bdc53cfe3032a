// What the pools of warm sandboxes have to know of their environments: how many are wanted, and of which image.
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import type { CloudConfig } from '@capstan/schema/environments';
import { and, asc, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import type { ImageRecord } from './image-record.ts';
import type { Scope } from './scope.ts';
import { environments } from './tables/environments.ts';

/** The image of an environment's packages. A stamp of null: it has none of its own, or was never built ahead. */
export type PoolImage =
  | { state: 'built'; stamp: string | null }
  | { state: 'building' }
  | { state: 'failed'; error: string };

export interface WantedPool {
  wanted: number;
  environment: CloudConfig;
  image: PoolImage;
}

export class WarmPoolStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Null: the environment is gone or archived, or none is wanted. */
  async find(environmentId: string): Promise<WantedPool | null> {
    const { db, tenantId } = this.#scope;
    const { warmSandboxes: wanted, config, image } = environments;
    const [row] = await db
      .select({ wanted, config, image })
      .from(environments)
      .where(
        and(
          eq(environments.tenantId, tenantId),
          eq(environments.id, environmentId),
          isNull(environments.archivedAt),
          gt(wanted, 0),
        ),
      );
    if (row?.config.type !== 'cloud') return null;
    return { wanted: row.wanted, environment: row.config, image: toPoolImage(row.image) };
  }
}

function toPoolImage(record: ImageRecord | null): PoolImage {
  if (record === null) return { state: 'built', stamp: null };
  if (record.builtStamp !== null) return { state: 'built', stamp: record.builtStamp };
  if (record.state === 'failed') return { state: 'failed', error: record.error ?? '' };
  return { state: 'building' };
}

/** Whether the environment of a session, joined to it, keeps sandboxes ready. */
export const hasWarmPool =
  sql<boolean>`(coalesce(${environments.warmSandboxes}, 0) > 0 AND ${environments.archivedAt} IS NULL)`.mapWith(
    Boolean,
  );

/** Environments of any tenant that keep sandboxes ready: those first that this has not named for longest. `now` is epoch ms. */
export async function nextPools(db: Database, now: number, limit: number): Promise<EnvironmentKey[]> {
  const longest = db
    .select({ id: environments.id })
    .from(environments)
    .where(and(gt(environments.warmSandboxes, 0), isNull(environments.archivedAt)))
    .orderBy(asc(environments.warmRungAt))
    .limit(limit);
  return db
    .update(environments)
    .set({ warmRungAt: now })
    .where(inArray(environments.id, longest))
    .returning({ tenantId: environments.tenantId, environmentId: environments.id });
}
