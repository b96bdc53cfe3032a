// A session's database in memory, migrated. What is asked of it can be watched, and made to fail.
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { migrate, type Sql, type SqlValue } from '../sql.ts';

export const MIGRATIONS = ['0001_events', '0002_receipts', '0003_threads'].map((name) =>
  readFileSync(new URL(`../../../../migrations/session-do/${name}.sql`, import.meta.url), 'utf8'),
);

/** `fails`: whether a transaction that is about to end is undone instead. */
export function memorySql(fails: () => boolean = () => false): Sql {
  const sql = openSql(new DatabaseSync(':memory:'), fails);
  migrate(sql, MIGRATIONS);
  return sql;
}

export function openSql(db: DatabaseSync, fails: () => boolean): Sql {
  return {
    all: <Row>(query: string, params: readonly SqlValue[]) => db.prepare(query).all(...params) as Row[],
    each: <Row>(query: string, params: readonly SqlValue[]) =>
      db.prepare(query).iterate(...params) as Iterable<unknown> as Iterable<Row>,
    transaction: (work) => {
      db.exec('BEGIN');
      try {
        const result = work();
        if (fails()) throw new Error('disk full');
        db.exec('COMMIT');
        return result;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    sync: async () => {},
  };
}
