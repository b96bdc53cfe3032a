// Deletes the images that environments have left. Whoever dies half way leaves the rest to the next sweep, and a deletion may be
// repeated.
import type { Database } from '@capstan/db/database';
import { dueLeftImages, forgetLeftImage } from '@capstan/db/left-images';
import type { ImageBuilder } from '@capstan/schema/environment-images';
import type { Logger } from '@capstan/shared/logger';

export interface LeftImagePorts {
  db: Database;
  builder: Pick<ImageBuilder, 'deleteImage'>;
  logger: Logger;
}

/** A sweep takes no more than its Worker has time for; the others wait for the next. */
const AT_ONCE = 100;

/** Resolves with how many were deleted. One that cannot be deleted now is tried again by the next sweep. `now` is epoch ms. */
export async function sweepLeftImages({ db, builder, logger }: LeftImagePorts, now: number): Promise<number> {
  let deleted = 0;
  for (const imageId of await dueLeftImages(db, now, AT_ONCE)) {
    try {
      await builder.deleteImage(imageId);
      await forgetLeftImage(db, imageId);
      deleted += 1;
    } catch (error) {
      logger.warn('image.not_deleted', { image_id: imageId, message: String(error) });
      // Whoever deletes them is away: the rest would fail alike.
      break;
    }
  }
  return deleted;
}
