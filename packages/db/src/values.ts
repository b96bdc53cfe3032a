// A row as the values of an `INSERT … SELECT`, which unlike `VALUES` can have a condition.
import { getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';

/** In the order of the table's columns. */
export function valuesOf<T extends SQLiteTable>(table: T, row: T['$inferSelect']): SQL {
  const known = new Map<string, unknown>(Object.entries(row));
  const values = Object.entries(getTableColumns(table)).map(([name, column]) => {
    const value = known.get(name) ?? null;
    return value === null ? sql`NULL` : sql`${sql.param(value, column)}`;
  });
  return sql.join(values, sql`, `);
}
