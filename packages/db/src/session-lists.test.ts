// Lists of sessions give what was asked for, whichever index a page is read from.
import { newId } from '@capstan/shared/ids';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MOST_BYTES } from './fitting.ts';
import type { NewSession } from './new-sessions.ts';
import type { SessionFilter } from './session-lists.ts';
import { type Stores, stores } from './stores.ts';
import { sessionResources } from './tables/resources.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const SETTINGS = plainAgent('Writer');

describe('pages of a list of sessions', () => {
  const TENANT = 'tnt_pages';
  const first = Date.parse('2026-11-21T07:00:00Z');
  const statuses = ['idle', 'running', 'terminated', 'rescheduling'] as const;
  const made = Array.from({ length: 48 }, (_, index) => ({
    id: newId('session', first + index),
    status: statuses[index % 4] ?? 'idle',
    agent: `agent_${index % 3}`,
    version: 1 + (index % 2),
    deployment: index % 5 < 2 ? 'depl_1' : null,
    store: index % 7 < 3,
    archived: index % 4 === 2 ? 5 : null,
  }));
  let database: TestDatabase;

  beforeAll(async () => {
    database = await openTestDatabase();
    const row =
      database.binding.prepare(`INSERT INTO sessions (id, tenant_id, thread_id, agent_id, agent, environment_id,
      environment, metadata, created_at, status, usage, active_seconds, updated_at, archived_at, deployment_id)
      VALUES (?, ?, 't', ?, ?, 'e', '{}', '{}', ?, ?, '{}', 0, 1, ?, ?)`);
    const store =
      database.binding.prepare(`INSERT INTO session_resources (id, tenant_id, session_id, type, mount_path,
      memory_store_id, created_at, updated_at) VALUES (?, ?, ?, 'memory_store', '/m', 'memstore_1', 1, 1)`);
    const rows = made.map(({ id, status, agent, version, deployment, archived }, index) =>
      row.bind(id, TENANT, agent, JSON.stringify({ version }), first + index, status, archived, deployment),
    );
    const attached = made.filter((one) => one.store).map(({ id }) => store.bind(`r_${id}`, TENANT, id));
    await database.binding.batch([...rows, ...attached]);
  });
  afterAll(() => database.close());

  const given = <T>(value: T | undefined, is: (value: T) => boolean) => value === undefined || is(value);
  const oneOf = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
  const asked = fc.record({
    order: fc.constantFrom('asc' as const, 'desc' as const),
    includeArchived: fc.boolean(),
    agentId: oneOf('agent_0', 'agent_1', 'agent_none'),
    agentVersion: oneOf(1, 2),
    statuses: fc.option(fc.array(fc.constantFrom(...statuses), { maxLength: 5 }), { nil: undefined }),
    deploymentId: oneOf('depl_1'),
    memoryStoreId: oneOf('memstore_1'),
    since: oneOf(10, 30),
    limit: fc.integer({ min: 1, max: 9 }),
  });

  it('are all that was asked for, in order, whatever it is filtered by and wherever a page ends', async () => {
    await fc.assert(
      fc.asyncProperty(asked, async ({ since, ...filter }) => {
        const wanted = made.filter(
          (one, index) =>
            (filter.includeArchived || one.archived === null) &&
            given(
              filter.agentId,
              (id) => one.agent === id && given(filter.agentVersion, (v) => one.version === v),
            ) &&
            given(filter.statuses, (among) => among.includes(one.status)) &&
            given(filter.deploymentId, () => one.deployment !== null) &&
            given(filter.memoryStoreId, () => one.store) &&
            given(since, (from) => index >= from),
        );
        const ids = wanted.map(({ id }) => id);
        if (filter.order === 'desc') ids.reverse();
        const created =
          since === undefined ? {} : { 'created_at[gte]': new Date(first + since).toISOString() };
        const found: string[] = [];
        let page: string | undefined;
        let back: string[] = [];
        do {
          const got = await stores(database.db, TENANT).sessions.list({ ...filter, created, page }, first);
          const listed = got.data.map(({ id }) => id);
          if (got.prev_page !== null) {
            const before = { ...filter, created, page: got.prev_page };
            const turned = await stores(database.db, TENANT).sessions.list(before, first);
            expect(turned.data.map(({ id }) => id)).toEqual(back);
          }
          found.push(...listed);
          back = listed;
          page = got.next_page ?? undefined;
        } while (page !== undefined);
        expect(found).toEqual(ids);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
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
  });
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
  });
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
