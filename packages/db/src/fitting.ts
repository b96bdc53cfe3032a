// Pages that fit: a list ends a page early rather than read more than MOST_BYTES of what its rows hold. At least one row is read.
import { asc, desc, type SQL, sql } from 'drizzle-orm';
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Seek } from './cursor.ts';
import type { Database } from './database.ts';

/** A page is parsed, and written as JSON, within a Worker's 128 MB. */
export const MOST_BYTES = 4_000_000;

export interface Wanted {
  table: SQLiteTable;
  id: SQLiteColumn;
  /** What a row holds, in bytes. */
  size: SQL<number>;
  where: SQL | undefined;
  at: Seek;
}

/** Ids of the rows to read, as a subquery to join: with what those before it hold, and how many there are for the page. */
export function fitting(db: Database, { table, id, size, where, at }: Wanted) {
  const ordered = at.order === 'desc' ? desc : asc;
  const sizes = db
    // Such names come out without their table: they must not be a table's own.
    .select({ id: sql<string>`${id}`.as('listed_id'), size: size.as('listed_size') })
    .from(table)
    .where(where)
    .orderBy(ordered(id))
    .limit(at.take)
    .as('sizes');
  return db
    .select({
      id: sizes.id,
      before: sql<number>`sum(${sizes.size}) OVER (ORDER BY ${ordered(sizes.id)}) - ${sizes.size}`.as(
        'before',
      ),
      matched: sql<number>`count(*) OVER ()`.as('matched'),
    })
    .from(sizes)
    .as('fitting');
}
