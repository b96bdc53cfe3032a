// Where this installation keeps contents: in R2, or, on one machine, in a directory.
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
  return BLOB_DIRECTORY === undefined ? openR2(BLOBS) : openDirectory(BLOB_DIRECTORY);
}
