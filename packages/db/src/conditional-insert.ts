// One row, inserted only where a condition holds: what it depends on may be gone by then.
import { getTableColumns, type SQL, sql } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Database } from './database.ts';

/** A statement. Undefined members of the row are null. */
export function insertWhen<T extends SQLiteTable>(
  db: Database,
  table: T,
  { row, when }: { row: T['$inferSelect']; when: SQL },
) {
  const known = new Map<string, unknown>(Object.entries(row));
  const values = Object.entries(getTableColumns(table)).map(([name, column]) => {
    const value = known.get(name);
    return value === null || value === undefined ? sql`NULL` : sql`${sql.param(value, column)}`;
  });
  return db.insert(table).select(sql`SELECT ${sql.join(values, sql`, `)} WHERE ${when}`);
}
