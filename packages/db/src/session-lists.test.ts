// Lists stay cheap as a tenant's sessions pile up: what they read comes off an index, in order.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MOST_BYTES } from './fitting.ts';
import type { NewSession } from './new-sessions.ts';
import type { SessionFilter } from './sessions.ts';
import { type Stores, stores } from './stores.ts';
import { sessionResources } from './tables/resources.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

const MIGRATIONS = join(import.meta.dirname, '../../../migrations/d1');

const SETTINGS = {
  name: 'Writer',
  description: null,
  model: { id: 'some-model' },
  system: null,
  tools: [],
  mcp_servers: [],
  skills: [],
  multiagent: null,
  execution_identity: { type: 'service_account' as const },
};

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
    ['of one version of an agent', "agent_id = 'a' AND agent ->> '$.version' = 3", 'sessions_agent_version'],
    ['of one deployment', "deployment_id = 'd'", 'sessions_deployment'],
  ])('%s is read off an index and not sorted', (_what, filter, index) => {
    const plan = planOf(
      `SELECT * FROM sessions WHERE tenant_id = 't' AND ${filter} ORDER BY id DESC LIMIT 21`,
    );
    expect(plan).toContain(index);
    expect(plan).not.toContain('TEMP B-TREE');
  });

  it('of one memory store looks at the sessions that have it, and at no others', () => {
    const having = `SELECT session_id FROM session_resources WHERE tenant_id = 't' AND memory_store_id = 'm'`;
    const plan = planOf(
      `SELECT * FROM sessions WHERE tenant_id = 't' AND id IN (${having}) ORDER BY id DESC LIMIT 21`,
    );
    expect(plan).toContain('session_resources_memory_store');
    expect(plan).toMatch(/SEARCH sessions USING INDEX \w+ \((tenant_id=\? AND )?id=\?\)/);
  });
});

describe('the filters of a list of sessions', () => {
  const now = Date.parse('2026-11-21T07:00:00Z');
  const filter = { limit: 20, order: 'asc' as const, includeArchived: false, created: {} };
  let database: TestDatabase;
  let mine: Stores;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    database = await openTestDatabase();
    mine = stores(database.db, 'tnt_filters');
    const { id: agentId } = await mine.agents.create({ settings: SETTINGS, metadata: {}, now });
    await mine.agents.update(agentId, { change: { name: 'Renamed' }, now });
    const { id: otherId } = await mine.agents.create({ settings: SETTINGS, metadata: {}, now });
    const make = async (name: string, more: Partial<NewSession> = {}) => {
      const at = now + Object.keys(ids).length;
      const plain = { agent: { id: agentId }, environmentId: null, title: null, metadata: {}, now: at };
      ids[name] = (await mine.sessions.create({ ...plain, ...more })).id;
    };
    await make('first', { agent: { id: agentId, version: 1 } });
    await make('second', { vaultIds: ['vlt_1', 'vlt_2'] });
    await make('scheduled', { deploymentId: 'depl_1' });
    await make('other', { agent: { id: otherId } });
    await database.db.insert(sessionResources).values({
      id: 'sesrsc_1',
      tenantId: 'tnt_filters',
      sessionId: ids.other ?? '',
      type: 'file',
      mountPath: '/mnt/memory/notes',
      memoryStoreId: 'memstore_1',
      createdAt: now,
      updatedAt: now,
    });
    ids.agent = agentId;
  }, 60_000);
  afterAll(() => database.close());

  const listed = async (more: Partial<SessionFilter>) => {
    const { data } = await mine.sessions.list({ ...filter, ...more }, now);
    return data.map(({ id }) => Object.entries(ids).find(([, known]) => known === id)?.[0]);
  };

  it('name one version of an agent', async () => {
    expect(await listed({ agentId: ids.agent, agentVersion: 1 })).toEqual(['first']);
    expect(await listed({ agentId: ids.agent, agentVersion: 2 })).toEqual(['second', 'scheduled']);
    expect(await listed({ agentId: ids.agent, agentVersion: 3 })).toEqual([]);
  });

  it('leave a version without its agent out of account', async () => {
    expect(await listed({ agentVersion: 1 })).toHaveLength(4);
  });

  it('name a deployment, and a memory store', async () => {
    expect(await listed({ deploymentId: 'depl_1' })).toEqual(['scheduled']);
    expect(await listed({ deploymentId: 'depl_2' })).toEqual([]);
    expect(await listed({ memoryStoreId: 'memstore_1' })).toEqual(['other']);
    expect(await listed({ memoryStoreId: 'memstore_2' })).toEqual([]);
  });

  it('hide what another tenant attached', async () => {
    const theirs = stores(database.db, 'tnt_filters_other');
    expect((await theirs.sessions.list({ ...filter, memoryStoreId: 'memstore_1' }, now)).data).toEqual([]);
    expect((await theirs.sessions.list({ ...filter, deploymentId: 'depl_1' }, now)).data).toEqual([]);
  });

  it('shows the vaults and the deployment that a session was created with', async () => {
    const { data } = await mine.sessions.list(filter, now);
    expect(data.map(({ vault_ids }) => vault_ids)).toEqual([[], ['vlt_1', 'vlt_2'], [], []]);
    expect(data.map(({ deployment_id }) => deployment_id)).toEqual([null, null, 'depl_1', null]);
    expect(await mine.sessions.load(ids.second ?? '')).toMatchObject({ vaultIds: ['vlt_1', 'vlt_2'] });
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
    const settings = { ...SETTINGS, system: 'x'.repeat(800_000) };
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
