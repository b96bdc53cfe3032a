// One session's blobs in R2, under a prefix of its own.
import type { SessionAddress } from '@capstan/session/address';
import type { Blobs } from '@capstan/session/ports';

/** The bucket reads and deletes this many keys at once. */
const BATCH = 1_000;

export function sessionBlobs(bucket: R2Bucket, { tenantId, sessionId }: SessionAddress): Blobs {
  const prefix = `t/${tenantId}/sessions/${sessionId}/spill/`;
  return {
    put: async (key, text) => {
      await bucket.put(prefix + key, text);
    },
    get: async (key) => {
      const object = await bucket.get(prefix + key);
      return object === null ? null : object.text();
    },
    removeAll: async () => {
      for (;;) {
        const { objects } = await bucket.list({ prefix, limit: BATCH });
        if (objects.length === 0) return;
        await bucket.delete(objects.map(({ key }) => key));
      }
    },
  };
}
