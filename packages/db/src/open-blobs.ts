// Where this installation keeps contents: in R2, or, on one machine, in a directory. What lay in R2 before there was a
// directory is still found there.
import type { R2Bucket } from '@cloudflare/workers-types';
import type { Blobs } from './blobs.ts';
import { type Directory, openDirectory } from './directory.ts';
import { openR2 } from './r2.ts';

export interface BlobBindings {
  BLOBS: R2Bucket;
  /** Absent but on one machine. */
  BLOB_DIRECTORY?: Directory;
}

export function openBlobs({ BLOBS, BLOB_DIRECTORY }: BlobBindings): Blobs {
  const bucket = openR2(BLOBS);
  if (BLOB_DIRECTORY === undefined) return bucket;
  const directory = openDirectory(BLOB_DIRECTORY);
  return {
    put: directory.put,
    get: async (key, range) => (await directory.get(key, range)) ?? bucket.get(key, range),
    remove: async (keys) => {
      await directory.remove(keys);
      await bucket.remove(keys);
    },
  };
}
