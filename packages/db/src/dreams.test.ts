// What is looked for when a session rests or a store is taken is found by an index; lists are in list-plans.test.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';

const MIGRATIONS = join(import.meta.dirname, '../../../migrations/d1');

function planOf(query: string): string {
  const db = new DatabaseSync(':memory:');
  for (const file of readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith('.sql'))
    .sort()) {
    db.exec(readFileSync(join(MIGRATIONS, file), 'utf8'));
  }
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
  return rows.map((row) => String(row.detail)).join('\n');
}

it('the dream of a session, and who holds a memory store, are found by an index', () => {
  expect(planOf("UPDATE dreams SET rested = 'failed' WHERE session_id = 's' AND tenant_id = 't'")).toContain(
    'dreams_session',
  );
  const held = "tenant_id = 't' AND target_id = 'm' AND output = 'update_existing' AND released_at IS NULL";
  expect(planOf(`SELECT id FROM dreams WHERE ${held}`)).toContain('dreams_held');
});
