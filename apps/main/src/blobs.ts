// The blob store and its health: a real read of a key that need not exist.
import type { Blobs } from '@capstan/db/blobs';
import { type BlobBindings, openBlobs } from '@capstan/db/open-blobs';
import type { HealthSource } from '@capstan/schema/health';

export function healthyBlobs(bindings: BlobBindings): Blobs & HealthSource {
  const blobs = openBlobs(bindings);
  return {
    ...blobs,
    async health() {
      await (await blobs.get('health'))?.cancel();
      return { blobs: { status: 'ok' } };
    },
  };
}
