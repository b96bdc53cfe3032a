// What the emulator remembers of volumes. 1. A name is one volume's in its environment. 2. One that is deleted has no name
// and is not found, and stays on record until its files are gone: nothing that the record does not name is ever removed.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

export interface VolumeRecord {
  id: string;
  environment: string;
  /** Absent: an ephemeral one. */
  name?: string;
  /** As Modal counts its file systems: 1 or 2. */
  version: number;
}

export const VOLUME_SCHEMA = `
  CREATE TABLE IF NOT EXISTS volumes (
    id TEXT PRIMARY KEY, environment TEXT NOT NULL, name TEXT, version INTEGER NOT NULL, is_deleted INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS volumes_by_name ON volumes (environment, name) WHERE NOT is_deleted;
`;

export class VolumeStore {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  find(id: string): VolumeRecord | undefined {
    return toVolume(this.#row('SELECT * FROM volumes WHERE id = ? AND NOT is_deleted', id));
  }

  findByName(environment: string, name: string): VolumeRecord | undefined {
    const sql = 'SELECT * FROM volumes WHERE environment = ? AND name = ? AND NOT is_deleted';
    return toVolume(this.#row(sql, environment, name));
  }

  add({ id, environment, name, version }: VolumeRecord): void {
    this.#run(
      'INSERT INTO volumes (id, environment, name, version) VALUES (?, ?, ?, ?)',
      id,
      environment,
      name ?? null,
      version,
    );
  }

  /** False when there is none of that id. */
  delete(id: string): boolean {
    return this.#run('UPDATE volumes SET is_deleted = 1 WHERE id = ? AND NOT is_deleted', id) === 1;
  }

  /** Once its files are gone. */
  forget(id: string): void {
    this.#run('DELETE FROM volumes WHERE id = ? AND is_deleted', id);
  }

  deleted(): string[] {
    return this.#ids('SELECT id FROM volumes WHERE is_deleted');
  }

  ephemeral(): string[] {
    return this.#ids('SELECT id FROM volumes WHERE name IS NULL AND NOT is_deleted');
  }

  #ids(sql: string): string[] {
    return this.#database
      .prepare(sql)
      .all()
      .map(({ id }) => String(id));
  }

  #row(sql: string, ...values: SQLInputValue[]): Record<string, unknown> | undefined {
    return this.#database.prepare(sql).get(...values);
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#database.prepare(sql).run(...values).changes);
  }
}

function toVolume(row: Record<string, unknown> | undefined): VolumeRecord | undefined {
  if (row === undefined) return undefined;
  const record = { id: String(row.id), environment: String(row.environment), version: Number(row.version) };
  return row.name === null ? record : { ...record, name: String(row.name) };
}
