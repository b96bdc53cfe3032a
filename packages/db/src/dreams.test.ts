// Lists stay cheap as a tenant's dreams pile up: what they read comes off an index, in order.
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

it.each([
  ['all', "id < 'x'", 'dreams_tenant'],
  ['those not archived', 'archived_at IS NULL', 'dreams_open'],
  ['those of one status', "status IN ('running')", 'dreams_status'],
])('a list of %s is read off an index and not sorted', (_what, filter, index) => {
  const plan = planOf(`SELECT * FROM dreams WHERE tenant_id = 't' AND ${filter} ORDER BY id DESC LIMIT 21`);
  expect(plan).toContain(index);
  expect(plan).not.toContain('TEMP B-TREE');
});

it('the dream of a session, and who holds a memory store, are found by an index', () => {
  expect(planOf("UPDATE dreams SET rested = 'failed' WHERE session_id = 's' AND tenant_id = 't'")).toContain(
    'dreams_session',
  );
  const held = "tenant_id = 't' AND target_id = 'm' AND output = 'update_existing' AND released_at IS NULL";
  expect(planOf(`SELECT id FROM dreams WHERE ${held}`)).toContain('dreams_held');
});
