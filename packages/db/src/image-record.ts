// What an environment remembers of its image, and what becomes of that: decisions. Pure. Instants are epoch ms.
//  I1 What is in use stays in use until another build has succeeded.
//  I2 A build has a stamp, which is part of its recipe: asked for again it is the same build, and another stamp is another.
import type { BuildOutcome, EnvironmentImage } from '@capstan/schema/environment-images';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import { imageSourceOf } from '@capstan/schema/image-source';
import { toTimestamp } from './timestamp.ts';

export interface ImageRecord {
  state: EnvironmentImage['state'];
  /** Of the newest build. */
  stamp: string;
  /** Of the one that is in use; null: none was built yet. */
  builtStamp: string | null;
  /** Its id; absent or null: it is not known which. */
  builtImage?: string | null;
  builtAt: number | null;
  error: string | null;
  /** Builds that failed one after the other. */
  failures: number;
}

/** An image that is used is built anew this often, so that what has no fixed version moves. */
export const REBUILD_MS = 24 * 60 * 60_000;
/** A build that failed is tried again after this long, then after twice as long, up to REBUILD_MS. */
export const RETRY_MS = 10 * 60_000;

/** Null: such an environment has the installation's image, or none. */
export function firstImage(config: EnvironmentConfig, now: number): ImageRecord | null {
  if (config.type !== 'cloud' || imageSourceOf(config) === null) return null;
  const none = { builtStamp: null, builtAt: null, error: null, failures: 0 };
  return { state: 'building', stamp: toTimestamp(now), ...none };
}

export type ImageDuty =
  /** `record` is to be kept before its build is asked for. */
  | { do: 'build'; record: ImageRecord }
  /** Nobody has used it since it was built: the next who does wakes it. */
  | { do: 'sleep' };

/** What an image that is due is due for. `usedAt`: when a sandbox was last made from it, or null. */
export function imageDuty(record: ImageRecord, usedAt: number | null, now: number): ImageDuty {
  if (record.state === 'building') return { do: 'build', record };
  const idle = record.builtAt !== null && (usedAt === null || usedAt < record.builtAt);
  if (record.state === 'ready' && idle) return { do: 'sleep' };
  return { do: 'build', record: { ...record, state: 'building', stamp: toTimestamp(now) } };
}

/** The record after a build, and when the next is due. */
export function afterBuild(
  record: ImageRecord,
  outcome: BuildOutcome,
  now: number,
): { record: ImageRecord; dueAt: number } {
  if (outcome.built) {
    const { stamp } = record;
    const ready: ImageRecord = {
      state: 'ready',
      stamp,
      builtStamp: stamp,
      builtImage: outcome.imageId,
      builtAt: now,
      error: null,
      failures: 0,
    };
    return { record: ready, dueAt: now + REBUILD_MS };
  }
  const failures = record.failures + 1;
  const wait = Math.min(REBUILD_MS, RETRY_MS * 2 ** Math.min(failures - 1, 20));
  return {
    record: { ...record, state: 'failed', error: outcome.error, failures },
    dueAt: now + wait,
  };
}

/** The build that a sandbox is made from now: of a first one, the one that goes on is waited for. */
export function stampInUse({ builtStamp, stamp }: ImageRecord): string {
  return builtStamp ?? stamp;
}

export function toEnvironmentImage({ state, builtAt, error }: ImageRecord): EnvironmentImage {
  return { state, built_at: builtAt === null ? null : toTimestamp(builtAt), error };
}
