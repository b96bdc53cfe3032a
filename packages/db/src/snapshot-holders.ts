// Who holds the image of a sandbox's snapshot, where that is more than one session: a fork begins with its source's.
// 1. Only who is given it by a holder becomes one, and only while that one still is: what nobody holds is nobody's again.
// 2. Whoever lets it go last, deletes it. Two that let go at once may both be last.
import { and, eq, sql } from 'drizzle-orm';
import type { Scope } from './scope.ts';
import { snapshotHolders } from './tables/resources.ts';

export class SnapshotHolderStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** The session has taken it. May be repeated. */
  async hold(imageId: string, sessionId: string): Promise<void> {
    const { db, tenantId } = this.#scope;
    await db.insert(snapshotHolders).values({ imageId, sessionId, tenantId }).onConflictDoNothing();
  }

  /** For the batch in which a session is made that begins with another one's. */
  holding(imageId: string, sessionId: string) {
    const { db, tenantId } = this.#scope;
    const held = and(eq(snapshotHolders.tenantId, tenantId), eq(snapshotHolders.imageId, imageId));
    return db
      .insert(snapshotHolders)
      .select(
        sql`SELECT DISTINCT ${imageId}, ${sessionId}, ${tenantId} FROM ${snapshotHolders} WHERE ${held}`,
      );
  }

  /** True: nobody holds it any more. May be repeated. */
  async letGo(imageId: string, sessionId: string): Promise<boolean> {
    const { db, tenantId } = this.#scope;
    const ofImage = and(eq(snapshotHolders.tenantId, tenantId), eq(snapshotHolders.imageId, imageId));
    const [, left] = await db.batch([
      db.delete(snapshotHolders).where(and(ofImage, eq(snapshotHolders.sessionId, sessionId))),
      db.select({ sessionId: snapshotHolders.sessionId }).from(snapshotHolders).where(ofImage).limit(1),
    ]);
    return left.length === 0;
  }
}
