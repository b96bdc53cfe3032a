// The lists read a part of an index, however large the tables are: what the database plans to do says so.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openD1 } from './d1.ts';
import { sweepMemories } from './memory-sweep.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { type Watched, watchPlans } from './testing-plans.ts';

let database: TestDatabase;
let own: Stores;
let watched: Watched;
let storeId: string;

beforeAll(async () => {
  database = await openTestDatabase();
  watched = watchPlans(database.binding);
  own = stores(openD1(watched.binding), 'tnt_own');
  ({ id: storeId } = await own.memoryStores.create({
    name: 'Notes',
    description: '',
    metadata: {},
    now: 1_000,
  }));
});
afterAll(() => database.close());

const created = { 'created_at[gte]': '2026-01-01T00:00:00Z', 'created_at[lte]': '2027-01-01T00:00:00Z' };
const STORE = 'SEARCH memory_stores USING INDEX sqlite_autoindex_memory_stores_1 (id=?)';

async function pageAfterOne(list: (page: string | undefined) => Promise<{ next_page: string | null }>) {
  const { next_page } = await list(undefined);
  if (next_page === null) throw new TypeError('There is one page alone.');
  return watched.plansOf(() => list(next_page));
}

it('memory stores are listed from their index, the open ones from one of their own', async () => {
  for (const name of ['a', 'b'])
    await own.memoryStores.create({ name, description: '', metadata: {}, now: Date.UTC(2026, 5) });
  const list = (includeArchived: boolean) => (page: string | undefined) =>
    own.memoryStores.list({ limit: 1, includeArchived, created, page });
  const range = '(tenant_id=? AND id>? AND id<?)';
  expect(await pageAfterOne(list(true))).toEqual([
    `SEARCH memory_stores USING INDEX memory_stores_tenant ${range}`,
  ]);
  expect(await pageAfterOne(list(false))).toEqual([
    `SEARCH memory_stores USING INDEX memory_stores_open ${range}`,
  ]);
});

it('memories are listed from the index of their store’s paths', async () => {
  const write = (path: string) =>
    own.memories.create({
      storeId,
      path,
      content: path,
      actor: { type: 'api_actor', api_key_id: 'key_1' },
      view: 'basic',
      now: Date.UTC(2026, 5),
    });
  for (const path of ['/a/1', '/a/2', '/a/3']) await write(path);
  for (const depth of [0, 1]) {
    const list = (page: string | undefined) =>
      own.memories.list({ storeId, depth, prefix: '/a/', view: 'full', limit: 1, page });
    const steps = await pageAfterOne(list);
    expect(steps).toContain('SEARCH memories USING INDEX memories_path (store_id=? AND path>? AND path<?)');
    expect(steps.filter((step) => /SCAN (?!items)/.test(step))).toEqual([]);
  }
});

it('versions are listed from an index for each filter, by time and place without a sort', async () => {
  const filters = {
    memory_versions_store: {},
    memory_versions_memory: { memoryId: 'mem_1' },
    memory_versions_actor: { sessionId: 'sesn_1' },
    memory_versions_operation: { operation: 'created' as const },
  };
  for (const [index, filter] of Object.entries(filters)) {
    const steps = await watched.plansOf(() =>
      own.memoryVersions.list({ storeId, view: 'full', created, ...filter }),
    );
    expect(steps[0]).toBe(STORE);
    const range = new RegExp(`^SEARCH memory_versions USING INDEX ${index} \\(.*id>\\? AND id<\\?\\)$`);
    expect(steps).toContainEqual(expect.stringMatching(range));
    expect(steps.slice(steps.indexOf('SCAN ids'))).toEqual([
      'SCAN ids',
      'SEARCH memory_versions USING INDEX sqlite_autoindex_memory_versions_1 (id=?)',
    ]);
  }
});

it('writing looks nothing up but by index', async () => {
  const actor = { type: 'api_actor' as const, api_key_id: 'key_1' };
  const steps = await watched.plansOf(async () => {
    const input = { storeId, path: '/w/x', content: '', actor, view: 'basic' as const, now: Date.now() };
    const { id } = await own.memories.create(input);
    const key = { storeId, id };
    await own.memories.update(key, { path: '/w/y', content: 'x', actor, view: 'full', now: Date.now() });
    await own.memories.delete(key, { actor, now: Date.now() });
  });
  expect(steps.length).toBeGreaterThan(20);
  expect(steps.filter((step) => step.startsWith('SCAN ') && !/json_each|CONSTANT ROW/.test(step))).toEqual(
    [],
  );
});

it('the sweep reads what is due and nothing else', async () => {
  const steps = await watched.plansOf(() => sweepMemories(openD1(watched.binding), Date.now()));
  expect(steps.filter((step) => step.startsWith('SCAN ') && !step.includes('USING'))).toEqual([]);
});
