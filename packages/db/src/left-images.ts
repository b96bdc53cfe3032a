// Images that environments have left: replaced by another build, or with packages or an environment that are gone.
// 1. One is written down in the batch that takes it from its environment, so that no crash forgets it. 2. It is deleted once
// it has been left for long enough that nobody can still be about to use it. 3. One that an environment has is not deleted.
import { and, asc, eq, lte, type SQL, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import type { Scope } from './scope.ts';
import { environments } from './tables/environments.ts';
import { leftImages } from './tables/left-images.ts';

/** A sandbox may be about to be made from it, and a warm one may wait to be used. */
export const LEFT_IMAGE_GRACE_MS = 48 * 60 * 60_000;

const BUILT = sql`image ->> '$.builtImage'`;

/** It was left and taken again meanwhile. */
const AGAIN = { target: leftImages.imageId, set: { leftAt: sql`excluded.left_at` } };

export interface Leaving {
  /** The environments that are about to change. */
  where: SQL | undefined;
  /** The image that they have afterwards. */
  next: string | null | undefined;
  /** Epoch ms. */
  now: number;
}

/** The statement for images that environments have now and not after a change: it goes before the change, in its batch. */
export function leaveImages({ db }: Scope, { where, next = null, now }: Leaving) {
  const rows = sql`SELECT ${BUILT}, ${environments.tenantId}, ${now} FROM ${environments}
    WHERE ${where} AND ${BUILT} IS NOT NULL AND ${BUILT} IS NOT ${next}`;
  return db.insert(leftImages).select(rows).onConflictDoUpdate(AGAIN);
}

/** One that was built for an environment that wants another by now. */
export async function leaveImage({ db, tenantId }: Scope, imageId: string, now: number): Promise<void> {
  await db.insert(leftImages).values({ imageId, tenantId, leftAt: now }).onConflictDoUpdate(AGAIN);
}

/** Of any tenant, those that are to be deleted, the longest left first. `now` is epoch ms. */
export async function dueLeftImages(db: Database, now: number, limit: number): Promise<string[]> {
  const kept = sql`EXISTS (SELECT 1 FROM ${environments} WHERE ${environments.tenantId} = ${leftImages.tenantId}
    AND ${environments.archivedAt} IS NULL AND ${BUILT} = ${leftImages.imageId})`;
  const rows = await db
    .select({ imageId: leftImages.imageId })
    .from(leftImages)
    .where(and(lte(leftImages.leftAt, now - LEFT_IMAGE_GRACE_MS), sql`NOT ${kept}`))
    .orderBy(asc(leftImages.leftAt))
    .limit(limit);
  return rows.map(({ imageId }) => imageId);
}

/** It is deleted. */
export async function forgetLeftImage(db: Database, imageId: string): Promise<void> {
  await db.delete(leftImages).where(eq(leftImages.imageId, imageId));
}
