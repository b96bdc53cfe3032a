// Warm pools: from the environment's row to what its pool is to have, and what that costs.
import type { Database } from '@capstan/db/database';
import { stores } from '@capstan/db/stores';
import { imageAt } from '@capstan/harness/environment-image';
import { kindOf } from '@capstan/harness/sandbox-boot';
import type { PoolWish } from '@capstan/harness/warm-pool';
import type { Sandboxes } from '@capstan/sandbox/port';
import { priceOf, ratesOf } from '@capstan/sandbox/sandbox-price';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import { imageSourceOf } from '@capstan/schema/image-source';
import type { SandboxPrice, SandboxSize } from '@capstan/schema/warm-pools';
import { consoleLogger } from '@capstan/shared/logger';
import type { Env } from './env.ts';
import { isolationOf } from './health.ts';

/** Rejects when it cannot be known, be it that the image cannot be asked for. */
export async function wishOf(
  { db, sandboxes }: { db: Database; sandboxes: () => Sandboxes },
  { tenantId, environmentId }: EnvironmentKey,
): Promise<PoolWish> {
  const { warmPools, environmentImages } = stores(db, tenantId);
  const found = await warmPools.find(environmentId);
  if (found === null) return { wanted: 0, kind: null, trouble: null };
  const { wanted, environment, image } = found;
  if (image.state !== 'built')
    return { wanted, kind: null, trouble: image.state === 'failed' ? image.error : null };
  // What is used is built anew every day.
  if (image.stamp !== null) await environmentImages.use(environmentId, environment, Date.now());
  const source = imageSourceOf(environment);
  const imageId = source === null ? null : await imageAt(sandboxes(), source, image.stamp);
  return { wanted, kind: kindOf(environment, imageId), trouble: null };
}

/** What `wanted` sandboxes of such a machine cost that wait. Null: that cannot be known just now. */
export async function priceOfPool(env: Env, wanted: number, size: SandboxSize): Promise<SandboxPrice | null> {
  const { rates, problems } = ratesOf(env, await isolationOf(env));
  for (const problem of problems) consoleLogger.warn('config.unusable', { problem });
  return rates && priceOf(rates, wanted, size);
}
