// Metadata: up to 16 pairs of client-owned strings on most resources.
import { z } from 'zod';

const MAX_PAIRS = 16;

export const metadata = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine((value) => Object.keys(value).length <= MAX_PAIRS, `at most ${MAX_PAIRS} pairs are allowed`);
export type Metadata = z.infer<typeof metadata>;
