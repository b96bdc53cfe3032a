// The blob store and its health: a real read of a key that need not exist.
import type { Blobs } from '@capstan/db/blobs';
import { openR2 } from '@capstan/db/r2';
import type { HealthSource } from '@capstan/schema/health';

export function openBlobs(bucket: R2Bucket): Blobs & HealthSource {
  return {
    ...openR2(bucket),
    async health() {
      await bucket.head('health');
      return { blobs: { status: 'ok' } };
    },
  };
}
