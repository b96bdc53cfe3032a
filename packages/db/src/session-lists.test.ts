// Lists stay cheap as a tenant's sessions pile up: what they read comes off an index, in order.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MOST_BYTES } from './fitting.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

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

describe('a list of large sessions', () => {
  const now = Date.parse('2026-11-21T07:00:00Z');
  const filter = { limit: 20, includeArchived: false, created: {} };
  const created: string[] = [];
  let database: TestDatabase;
  let mine: Stores;

  beforeAll(async () => {
    database = await openTestDatabase();
    mine = stores(database.db, 'tnt_large');
    const settings = {
      name: 'Writer',
      description: null,
      model: { id: 'some-model' },
      system: 'x'.repeat(800_000),
      tools: [],
      mcp_servers: [],
      skills: [],
      multiagent: null,
      execution_identity: { type: 'service_account' as const },
    };
    const { id } = await mine.agents.create({ settings, metadata: {}, now });
    const plain = { agent: { id }, environmentId: null, title: null, metadata: {} };
    for (let i = 0; i < 12; i++) {
      created.push((await mine.sessions.create({ ...plain, now: now + i })).id);
    }
  }, 60_000);
  afterAll(() => database.close());

  it.each(['asc', 'desc'] as const)('comes in pages that fit, %s, each session once', async (order) => {
    const pages = [await mine.sessions.list({ ...filter, order }, now)];
    for (let next = pages[0]?.next_page; next; next = pages.at(-1)?.next_page) {
      pages.push(await mine.sessions.list({ ...filter, order, page: next }, now));
    }
    expect(pages.length).toBeGreaterThan(1);
    for (const page of pages) expect(JSON.stringify(page).length).toBeLessThan(MOST_BYTES + 1_000_000);
    const ids = pages.flatMap(({ data }) => data.map(({ id }) => id));
    expect(ids).toEqual(order === 'asc' ? created : created.toReversed());
  });

  it('leads back to its beginning by prev_page', async () => {
    const first = await mine.sessions.list({ ...filter, order: 'asc' }, now);
    const second = await mine.sessions.list({ ...filter, order: 'asc', page: first.next_page ?? '' }, now);
    const back = await mine.sessions.list({ ...filter, order: 'asc', page: second.prev_page ?? '' }, now);
    expect(back.data).toEqual(first.data);
    expect(back.prev_page).toBeNull();
    expect(first.prev_page).toBeNull();
  });

  it('ends where the limit says when the sessions are few', async () => {
    const page = await mine.sessions.list({ ...filter, limit: 2, order: 'asc' }, now);
    expect(page.data.map(({ id }) => id)).toEqual(created.slice(0, 2));
  });
});
