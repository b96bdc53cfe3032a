// What a session's object remembers besides its log: a few named values.
import type { MarkName } from '@capstan/session/ports';
import type { Sql } from '@capstan/session/sql';

export type FactName =
  | 'spec'
  | 'expected'
  | 'indexed_seq'
  | 'sandbox'
  | 'mounts_stale'
  | 'workspace_mounts'
  | 'workspace_outputs'
  | 'workspace_outputs_owed'
  | 'workspace_memories'
  | 'workspace_skills'
  | `mark_${MarkName}`;

export class Facts {
  #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get(name: FactName): string | null {
    const [row] = this.#sql.all<{ value: string }>('SELECT value FROM facts WHERE name = ?', [name]);
    return row?.value ?? null;
  }

  set(name: FactName, value: string): void {
    this.#sql.all(
      'INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      [name, value],
    );
  }

  clear(name: FactName): void {
    this.#sql.all('DELETE FROM facts WHERE name = ?', [name]);
  }
}
