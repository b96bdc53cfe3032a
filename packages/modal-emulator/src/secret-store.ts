// What the emulator remembers of secrets: the names of their variables, and the values sealed. A name is one secret's in its
// environment; one without a name is for whoever has its id, and for a day.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

export interface SecretRecord {
  id: string;
  environment: string;
  /** Absent: made for the values of one client. */
  name?: string;
  keys: string[];
  /** Of the values, as JSON. */
  sealed: string;
}

export const SECRET_SCHEMA = `
  CREATE TABLE IF NOT EXISTS secrets (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, name TEXT, keys TEXT NOT NULL, sealed TEXT NOT NULL,
    created_at INTEGER NOT NULL, UNIQUE (environment, name)
  ) STRICT;
`;
const NAMELESS_MS = 24 * 3_600_000;

export class SecretStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  find(id: string): SecretRecord | undefined {
    return toSecret(this.#row('SELECT * FROM secrets WHERE id = ?', id));
  }

  findByName(environment: string, name: string): SecretRecord | undefined {
    return toSecret(this.#row('SELECT * FROM secrets WHERE environment = ? AND name = ?', environment, name));
  }

  /** In place of one of the same id. */
  put({ id, environment, name, keys, sealed }: SecretRecord): void {
    const now = Date.now();
    this.#run('DELETE FROM secrets WHERE name IS NULL AND created_at < ?', now - NAMELESS_MS);
    this.#run(
      'INSERT OR REPLACE INTO secrets (id, environment, name, keys, sealed, created_at) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      environment,
      name ?? null,
      JSON.stringify(keys),
      sealed,
      now,
    );
  }

  /** False when there is none of that id. */
  delete(id: string): boolean {
    return this.#run('DELETE FROM secrets WHERE id = ?', id) === 1;
  }

  #row(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#database.prepare(sql).get(...values);
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#database.prepare(sql).run(...values).changes);
  }
}

function toSecret(row: Record<string, unknown> | undefined): SecretRecord | undefined {
  if (row === undefined) return undefined;
  const record = {
    id: String(row.id),
    environment: String(row.environment),
    keys: JSON.parse(String(row.keys)),
    sealed: String(row.sealed),
  };
  return row.name === null ? record : { ...record, name: String(row.name) };
}
