// Bounds on when a row was created, as a condition.
import type { IdKind } from '@capstan/schema/ids';
import type { CreatedAtBounds } from '@capstan/schema/page';
import { firstId } from '@capstan/shared/ids';
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

/** The same on the ids of rows that were made at the time their id says: a part of an index by id. */
export function madeWithin(id: SQLiteColumn, kind: IdKind, bounds: CreatedAtBounds): SQL | undefined {
  const at = (name: keyof CreatedAtBounds, compare: typeof gte, later: number) => {
    const text = bounds[name];
    return text === undefined ? undefined : compare(id, firstId(kind, Date.parse(text) + later));
  };
  return and(
    at('created_at[gt]', gte, 1),
    at('created_at[gte]', gte, 0),
    at('created_at[lt]', lt, 0),
    at('created_at[lte]', lt, 1),
  );
}
