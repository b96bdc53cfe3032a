// Metadata: up to 16 pairs of client-owned strings on most resources.
import { z } from 'zod';
import { ApiError } from './error.ts';

const MAX_PAIRS = 16;
const TOO_MANY = `at most ${MAX_PAIRS} pairs are allowed`;

const key = z.string().min(1).max(64);
const value = z.string().max(512);

export const metadata = z
  .record(key, value)
  .refine((pairs) => Object.keys(pairs).length <= MAX_PAIRS, TOO_MANY);
export type Metadata = z.infer<typeof metadata>;

/** Pairs to set, and with null those to delete; what is not named stays. */
export const metadataPatch = z.record(key, value.nullable());
export type MetadataPatch = z.infer<typeof metadataPatch>;

/** The pairs after a patch. Refuses (`invalid_request`) more than are allowed. */
export function patchMetadata(pairs: Metadata, patch: MetadataPatch): Metadata {
  const merged = new Map(Object.entries(pairs));
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) merged.delete(name);
    else merged.set(name, change);
  }
  if (merged.size > MAX_PAIRS) throw new ApiError('invalid_request', `metadata: ${TOO_MANY}`);
  return Object.fromEntries(merged);
}
