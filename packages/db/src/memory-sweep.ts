// Removes versions of memories whose time has come, and what stores that were deleted have left. In pieces: each is one
// statement of a size that the database takes, and whoever dies between two of them leaves the rest to the next sweep.
import { and, asc, eq, inArray, isNotNull, lte, notExists, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { memoryStores, memoryVersions } from './tables/memories.ts';

/** A version may have 100 KB. */
const AT_ONCE = 200;
const MOST_ROUNDS = 50;

/** Resolves with how many versions were removed, at `now` (epoch ms). */
export async function sweepMemories(db: Database, now: number): Promise<number> {
  const { id, expiresAt } = memoryVersions;
  const expired = db.select({ id }).from(memoryVersions).where(lte(expiresAt, now)).orderBy(asc(expiresAt));
  let swept = await inRounds(() =>
    db
      .delete(memoryVersions)
      .where(inArray(id, expired.limit(AT_ONCE)))
      .returning({ id }),
  );
  const deleted = await db
    .select({ id: memoryStores.id })
    .from(memoryStores)
    .where(isNotNull(memoryStores.deletedAt))
    .orderBy(asc(memoryStores.deletedAt))
    .limit(AT_ONCE);
  for (const store of deleted) swept += await clearStore(db, store.id);
  return swept;
}

/** Removes the versions of a store that was deleted, and its row after the last of them. */
export async function clearStore(db: Database, storeId: string): Promise<number> {
  const { id } = memoryVersions;
  const ofStore = eq(memoryVersions.storeId, storeId);
  const some = db.select({ id }).from(memoryVersions).where(ofStore).limit(AT_ONCE);
  const cleared = await inRounds(() => db.delete(memoryVersions).where(inArray(id, some)).returning({ id }));
  const left = db.select({ one: sql`1` }).from(memoryVersions).where(ofStore);
  await db
    .delete(memoryStores)
    .where(and(eq(memoryStores.id, storeId), isNotNull(memoryStores.deletedAt), notExists(left)));
  return cleared;
}

async function inRounds(remove: () => Promise<unknown[]>): Promise<number> {
  let removed = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const { length } = await remove();
    removed += length;
    if (length < AT_ONCE) break;
  }
  return removed;
}
