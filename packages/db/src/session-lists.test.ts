// Lists stay cheap as a tenant's sessions pile up: what they read comes off an index, in order.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';

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

describe('a list of sessions', () => {
  it.each([
    ['of those not archived', 'archived_at IS NULL', 'sessions_open'],
    ['of one agent', "agent_id = 'a'", 'sessions_agent'],
    ['of one status', "status IN ('running')", 'sessions_status'],
  ])('%s is read off an index and not sorted', (_what, filter, index) => {
    const plan = planOf(
      `SELECT * FROM sessions WHERE tenant_id = 't' AND ${filter} ORDER BY id DESC LIMIT 21`,
    );
    expect(plan).toContain(index);
    expect(plan).not.toContain('TEMP B-TREE');
  });
});
