// Lists: `data` plus an opaque `next_page` cursor, null at the end.
import { z } from 'zod';
import { ApiError } from './error.ts';

/** RFC 3339; the platform's own are UTC. */
export const timestamp = z.iso.datetime({
  offset: true,
  error: 'expected a date and time with its zone, e.g. "2026-11-21T00:00:00Z"',
});

/** A whole number in a query string, in digits: neither an empty value nor `1e3` is one. */
export function queryInteger({ min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number }) {
  const number = z.int({
    error: ({ code }) => (code === 'invalid_type' ? 'expected a whole number in digits' : undefined),
  });
  const read = (value: unknown) =>
    typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return z.preprocess(read, number.min(min).max(max));
}

export function pageQuery(limits: { default: number; max: number }) {
  return z.object({
    limit: queryInteger({ min: 1, max: limits.max }).default(limits.default),
    page: z.string().min(1).max(512).optional(),
  });
}

/** Bounds on when something was created, e.g. `created_at[gte]=2026-11-21T00:00:00Z`. */
export const createdAtBounds = {
  'created_at[gt]': timestamp.optional(),
  'created_at[gte]': timestamp.optional(),
  'created_at[lt]': timestamp.optional(),
  'created_at[lte]': timestamp.optional(),
};
export type CreatedAtBounds = { [K in keyof typeof createdAtBounds]?: string | undefined };

/** For a cursor that stands where the `created_at` bounds of its request leave everything out. */
export function outOfBounds(): ApiError {
  const why = 'the created_at bounds leave out where it stands';
  return new ApiError(
    'invalid_request',
    `page: ${why}; leave it out, or keep the bounds of the request before`,
  );
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
