// What the keeper of an environment's image does when it rings: the build that is owed, and when to ring next.
// M1. What is about to be built is written down before it is asked for: whoever rings after a death asks for the same build.
// M2. What changes meanwhile wins: what was built for others is not recorded, and is to be deleted.
import type { Database } from '@capstan/db/database';
import { afterBuild, imageDuty } from '@capstan/db/image-record';
import { stores } from '@capstan/db/stores';
import type { EnvironmentKey, ImageBuilder } from '@capstan/schema/environment-images';
import type { Logger } from '@capstan/shared/logger';

export interface ImagePorts {
  db: Database;
  builder: ImageBuilder;
  clock: { now(): number };
  logger: Logger;
}

/** Resolves with when to ring next, epoch ms; null: not until somebody says so. Rejects when nobody can build just now. */
export async function keepImage(
  { db, builder, clock, logger }: ImagePorts,
  { tenantId, environmentId }: EnvironmentKey,
): Promise<number | null> {
  const { environmentImages } = stores(db, tenantId);
  const now = clock.now();
  const due = await environmentImages.find(environmentId);
  if (due === null || due.dueAt === null) return null;
  if (due.dueAt > now) return due.dueAt;
  const duty = imageDuty(due.record, due.usedAt, now);
  if (duty.do === 'sleep') {
    await environmentImages.settle(environmentId, due.record, { after: due.record, dueAt: null, now });
    return null;
  }
  const { record } = duty;
  const begun = { after: record, dueAt: now, now };
  if (!(await environmentImages.settle(environmentId, due.record, begun))) return now;
  const outcome = await builder.buildImage(due.source, record.stamp);
  const next = afterBuild(record, outcome, clock.now());
  const { state: result, failures } = next.record;
  logger.info('image.built', { result, failures, duration_ms: clock.now() - now });
  const settled = { after: next.record, dueAt: next.dueAt, now: clock.now() };
  if (await environmentImages.settle(environmentId, record, settled)) return next.dueAt;
  if (outcome.built) await environmentImages.leave(outcome.imageId, clock.now());
  return clock.now();
}
