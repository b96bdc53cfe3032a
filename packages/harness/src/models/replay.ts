// What a provider wants back beside the plain words: its call ids, signatures, encrypted reasoning. Kept as a short
// JSON string tagged with the model that made it; for any other model there is nothing to replay and the plain form is used.
import type { Opaque } from '@capstan/session/harness';
import { z } from 'zod';
import { parseJson } from './values.ts';

const data = z.record(z.string(), z.unknown()).optional();

const kept = z.object({
  by: z.string(),
  /** Of a call: the provider's call id. Of thinking: its item id. */
  id: z.string().optional(),
  /** A call's arguments as written, when they are not what its input is written as. */
  args: z.string().optional(),
  /** Thinking as text. */
  text: z.string().optional(),
  /** Where thinking text belongs: summaries (Responses), or the raw thought (Chat). */
  raw: z.boolean().optional(),
  phase: z.enum(['commentary', 'final_answer']).optional(),
  data,
});
export type Kept = z.infer<typeof kept>;

export function keep(tag: string, value: Omit<Kept, 'by'>): Opaque {
  return JSON.stringify({ by: tag, ...value });
}

/** What was kept by this very model, or null. */
export function replay(tag: string, opaque: Opaque | undefined): Kept | null {
  if (opaque === undefined) return null;
  const parsed = kept.safeParse(parseJson(opaque));
  return parsed.success && parsed.data.by === tag ? parsed.data : null;
}
