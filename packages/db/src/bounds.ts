// Bounds on when a row was created, as a condition.
import type { CreatedAtBounds } from '@capstan/schema/page';
import { and, gt, gte, lt, lte, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';

/** `column` holds epoch ms; the bounds are RFC 3339, and absent ones do not bind. */
export function within(column: SQLiteColumn, bounds: CreatedAtBounds): SQL | undefined {
  const at = (name: keyof CreatedAtBounds, compare: typeof gt) => {
    const text = bounds[name];
    return text === undefined ? undefined : compare(column, Date.parse(text));
  };
  return and(
    at('created_at[gt]', gt),
    at('created_at[gte]', gte),
    at('created_at[lt]', lt),
    at('created_at[lte]', lte),
  );
}
