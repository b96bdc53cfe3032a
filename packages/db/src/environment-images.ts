// The images of one tenant's environments, as columns of theirs: what is owed stands in the row from the moment that the
// packages do, so no crash forgets it. A change that races another is made on what it read, or not at all.
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import type { CloudConfig } from '@capstan/schema/environments';
import { type ImageSource, imageSourceOf } from '@capstan/schema/image-source';
import { and, asc, eq, isNull, lte, sql } from 'drizzle-orm';
import { isSame } from './agent-settings.ts';
import type { Database } from './database.ts';
import { type ImageRecord, stampInUse } from './image-record.ts';
import { leaveImage, leaveImages } from './left-images.ts';
import type { Scope } from './scope.ts';
import { environments } from './tables/environments.ts';

export interface DueImage {
  record: ImageRecord;
  source: ImageSource;
  /** Epoch ms. Null: nothing is due. */
  dueAt: number | null;
  usedAt: number | null;
}

/** Instants are epoch ms. */
export interface ImageChange {
  after: ImageRecord;
  /** Null: nothing is due. */
  dueAt: number | null;
  now: number;
}

export class EnvironmentImageStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Null: the environment is gone or archived, or has no image of its own. */
  async find(id: string): Promise<DueImage | null> {
    const [row] = await this.#scope.db
      .select()
      .from(environments)
      .where(and(this.#own(id), isNull(environments.archivedAt)));
    if (!row?.image || row.config.type !== 'cloud') return null;
    const source = imageSourceOf(row.config);
    if (source === null) return null;
    const { image: record, imageDueAt: dueAt, imageUsedAt: usedAt } = row;
    return { record, dueAt, usedAt, source };
  }

  /** Resolves with whether the row still had `before`. The image that it has no more is to be deleted. */
  async settle(id: string, before: ImageRecord, next: ImageChange): Promise<boolean> {
    const still = and(this.#own(id), eq(environments.image, before));
    const { db } = this.#scope;
    const [, changed] = await db.batch([
      leaveImages(this.#scope, { where: still, next: next.after.builtImage, now: next.now }),
      db
        .update(environments)
        .set({ image: next.after, imageDueAt: next.dueAt })
        .where(still)
        .returning({ id: environments.id }),
    ]);
    return changed.length > 0;
  }

  /**
   * A sandbox is about to be made from the image of such a configuration: the stamp of its build, and null where the
   * environment has another by now. An image that slept is due again.
   */
  async use(id: string, used: CloudConfig, now: number): Promise<string | null> {
    const [row] = await this.#scope.db
      .update(environments)
      .set({ imageUsedAt: now, imageDueAt: sql`coalesce(${environments.imageDueAt}, ${now})` })
      .where(and(this.#own(id), isNull(environments.archivedAt), sql`${environments.image} IS NOT NULL`))
      .returning({ image: environments.image, config: environments.config });
    if (!row?.image || row.config.type !== 'cloud') return null;
    return isSame(imageSourceOf(row.config), imageSourceOf(used)) ? stampInUse(row.image) : null;
  }

  /** It was built, and the environment wants another by now. */
  leave(imageId: string, now: number): Promise<void> {
    return leaveImage(this.#scope, imageId, now);
  }

  #own(id: string) {
    return and(eq(environments.tenantId, this.#scope.tenantId), eq(environments.id, id));
  }
}

/** Environments of any tenant whose image is due, the longest due first. `now` is epoch ms. */
export async function dueImages(db: Database, now: number, limit: number): Promise<EnvironmentKey[]> {
  return db
    .select({ tenantId: environments.tenantId, environmentId: environments.id })
    .from(environments)
    .where(and(lte(environments.imageDueAt, now), isNull(environments.archivedAt)))
    .orderBy(asc(environments.imageDueAt))
    .limit(limit);
}
