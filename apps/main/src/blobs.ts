// The blob store's health: a real read of a key that need not exist.
import type { HealthSource } from '@capstan/schema/health';

export function blobsHealth(bucket: R2Bucket): HealthSource {
  return {
    async health() {
      await bucket.head('health');
      return { blobs: { status: 'ok' } };
    },
  };
}
