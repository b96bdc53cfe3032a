// Lists: `data` plus an opaque `next_page` cursor, null at the end.
import { z } from 'zod';

/** RFC 3339, UTC. */
export const timestamp = z.iso.datetime({ offset: true });

export function pageQuery(limits: { default: number; max: number }) {
  return z.object({
    limit: z.coerce.number().int().min(1).max(limits.max).default(limits.default),
    page: z.string().min(1).max(512).optional(),
  });
}

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next_page: z.string().nullable() });
}

export interface Page<T> {
  data: T[];
  next_page: string | null;
}

export const queryBoolean = z.enum(['true', 'false']).transform((value) => value === 'true');
export const order = z.enum(['asc', 'desc']);
