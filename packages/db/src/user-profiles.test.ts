// Lists stay cheap as a tenant's profiles pile up: what they read comes off an index, in order.
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
  ['the newest', "id < 'x' ORDER BY id DESC", 'user_profiles_tenant'],
  [
    'names going up',
    "name_key IS NOT NULL AND (name_key, id) > ('a', 'x') ORDER BY name_key ASC, id ASC",
    'user_profiles_name',
  ],
  [
    'names going down',
    "name_key IS NOT NULL AND (name_key, id) < ('a', 'x') ORDER BY name_key DESC, id DESC",
    'user_profiles_name',
  ],
  ['those without a name', "name_key IS NULL AND id < 'x' ORDER BY id DESC", 'user_profiles_name'],
])('%s are read off an index and not sorted', (_what, rest, index) => {
  const plan = planOf(`SELECT * FROM user_profiles WHERE tenant_id = 't' AND ${rest} LIMIT 21`);
  expect(plan).toContain(index);
  expect(plan).not.toContain('TEMP B-TREE');
});
