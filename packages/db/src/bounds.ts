// The part of an index by id that a page is read from: beyond its cursor, and of what was made within bounds.
import type { IdKind } from '@capstan/schema/ids';
import { type CreatedAtBounds, outOfBounds } from '@capstan/schema/page';
import { firstId } from '@capstan/shared/ids';
import { and, gt, lt, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Seek } from './cursor.ts';

/** Of rows that were made at the time their id says. The bounds are RFC 3339; absent ones do not bind. */
export interface Made {
  kind: IdKind;
  bounds: CreatedAtBounds;
}

/**
 * One bound on each side at most, the nearest: of several the database would take any, and read up to the others. Refuses
 * (`invalid_request`) a cursor that stands where nothing was made within the bounds.
 */
export function span(id: SQLiteColumn, at: Pick<Seek, 'id' | 'order'>, made?: Made): SQL | undefined {
  const { above, below } = made === undefined ? { above: [], below: [] } : edges(made);
  if (at.id !== null) {
    requireWithin(at.id, { above, below });
    (at.order === 'desc' ? below : above).push(at.id);
  }
  const [lowest, highest] = [above.toSorted().at(-1), below.toSorted()[0]];
  return and(
    lowest === undefined ? undefined : gt(id, lowest),
    highest === undefined ? undefined : lt(id, highest),
  );
}

function requireWithin(id: string, { above, below }: ReturnType<typeof edges>): void {
  if (above.every((edge) => id > edge) && below.every((edge) => id < edge)) return;
  throw outOfBounds();
}

/** No row has one of these ids: they lie between those of two moments. */
function edges({ kind, bounds }: Made): { above: string[]; below: string[] } {
  const at = (name: keyof CreatedAtBounds, later: number) => {
    const text = bounds[name];
    return text === undefined ? [] : [firstId(kind, Date.parse(text) + later)];
  };
  return {
    above: [...at('created_at[gt]', 1), ...at('created_at[gte]', 0)],
    below: [...at('created_at[lt]', 0), ...at('created_at[lte]', 1)],
  };
}
