// Filters that take several values, by an index that has the rows of each value in order: of each, as many are looked up as
// a page could take, and the page is the first of them all.
import { and, asc, desc, type SQL, sql } from 'drizzle-orm';
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Seek } from './cursor.ts';
import type { Database } from './database.ts';

/** What a column, or what is made of some, may be. */
export interface Term {
  of: SQL | SQLiteColumn;
  values: readonly (string | number)[];
}

/** One condition for each way to choose a value of every term. */
export function eachOf(terms: readonly Term[]): (SQL | undefined)[] {
  return terms.reduce<(SQL | undefined)[]>(
    (ways, { of, values }) => ways.flatMap((way) => values.map((value) => and(way, sql`${of} = ${value}`))),
    [undefined],
  );
}

/** The same as a condition that draws the database to no index: for what narrows the rows of another one. */
export function narrowed(terms: readonly Term[]): SQL | undefined {
  return and(
    ...terms.map(({ of, values }) => {
      const among = sql.join(
        values.map((value) => sql`${value}`),
        sql`, `,
      );
      return sql`+${of} IN (${among})`;
    }),
  );
}

export interface Arms {
  table: SQLiteTable;
  id: SQLiteColumn;
  at: Seek;
  /** All that is asked of the rows, their place included, so that none of the first is left out. */
  each: readonly (SQL | undefined)[];
}

/** A condition that the first rows of all arms meet: no others of several arms, all others of a single one. */
export function firstOfEach(db: Database, { table, id, at, each }: Arms): SQL | undefined {
  if (each.length === 1) return each[0];
  if (each.length === 0) return sql`FALSE`;
  const ordered = at.order === 'desc' ? desc : asc;
  const firsts = each.map((where) => {
    const first = db.select({ id }).from(table).where(where).orderBy(ordered(id)).limit(at.take);
    return sql`SELECT * FROM (${first})`;
  });
  return sql`${id} IN (${unionOf(firsts)})`;
}

/** D1 refuses a union of more than five. */
const MOST_OF_UNION = 5;

function unionOf(queries: readonly SQL[]): SQL {
  const union = sql.join(queries.slice(0, MOST_OF_UNION), sql` UNION ALL `);
  if (queries.length <= MOST_OF_UNION) return union;
  return unionOf([sql`SELECT * FROM (${union})`, ...queries.slice(MOST_OF_UNION)]);
}
