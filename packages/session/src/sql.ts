// The little of SQLite that a session or a work queue needs: a Durable Object's storage has it, and so has node:sqlite.
export type SqlValue = string | number | null;

export interface Sql {
  all<Row>(query: string, params: readonly SqlValue[]): Row[];
  /** One row at a time: what is not asked for is not read. Nothing else may be asked until it ends. */
  each<Row>(query: string, params: readonly SqlValue[]): Iterable<Row>;
  /** Everything `work` writes, or nothing when it throws. */
  transaction<T>(work: () => T): T;
  /** Resolves when what was written so far is durable. */
  sync(): Promise<void>;
}

/** Applies the migrations this database has not seen, in order: `migrations[n]` brings it to version n + 1. */
export function migrate(sql: Sql, migrations: readonly string[]): void {
  sql.all('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)', []);
  const [row] = sql.all<{ version: number }>('SELECT version FROM schema_version', []);
  const version = row?.version ?? 0;
  if (version >= migrations.length) return;
  sql.transaction(() => {
    for (const migration of migrations.slice(version)) {
      for (const statement of statementsOf(migration)) sql.all(statement, []);
    }
    sql.all('DELETE FROM schema_version', []);
    sql.all('INSERT INTO schema_version (version) VALUES (?)', [migrations.length]);
  });
}

function statementsOf(migration: string): string[] {
  return migration
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
