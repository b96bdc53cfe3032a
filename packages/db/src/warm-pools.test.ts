// What pools of warm sandboxes learn of their environments, over a real D1.
import type { CloudConfig } from '@capstan/schema/environments';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openD1 } from './d1.ts';
import { OPEN_CLOUD } from './environments.ts';
import { type Stores, stores } from './stores.ts';
import { environments } from './tables/environments.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';
import { readsOf, sortsOf, watchPlans } from './testing-plans.ts';
import { nextPools } from './warm-pools.ts';

const NOW = Date.parse('2026-11-21T18:00:00Z');

let database: TestDatabase;
let own: Stores;
beforeAll(async () => {
  database = await openTestDatabase();
  own = stores(database.db, 'tnt_own');
});
afterAll(() => database.close());
beforeEach(() => database.db.delete(environments));

const packaged = { ...OPEN_CLOUD, packages: { ...OPEN_CLOUD.packages, pip: ['pandas'] } };

async function make(warmSandboxes: number, config: CloudConfig = OPEN_CLOUD, of = own): Promise<string> {
  const rest = { name: 'Warm', description: null, metadata: {}, scope: 'organization' as const, now: NOW };
  return (await of.environments.create({ ...rest, config, warmSandboxes })).id;
}

describe('the pool of an environment', () => {
  it('is as large as the environment says, and has its packages', async () => {
    const id = await make(3);
    const image = { state: 'built', stamp: null };
    expect(await own.warmPools.find(id)).toEqual({ wanted: 3, environment: OPEN_CLOUD, image });
    await own.environments.update(id, { warmSandboxes: 0 }, NOW);
    expect(await own.warmPools.find(id)).toBeNull();
  });

  it('waits for the image of its packages, knows why there is none, and goes on with what was built', async () => {
    const id = await make(1, packaged);
    const imageOf = async () => (await own.warmPools.find(id))?.image;
    expect(await imageOf()).toEqual({ state: 'building' });
    const settle = async (more: object) => {
      const before = (await own.environmentImages.find(id))?.record;
      if (before)
        await own.environmentImages.settle(id, before, {
          after: { ...before, ...more },
          dueAt: null,
          now: NOW,
        });
    };
    await settle({ state: 'failed', error: 'no such package' });
    expect(await imageOf()).toEqual({ state: 'failed', error: 'no such package' });
    await settle({ builtStamp: 'then' });
    expect(await imageOf()).toEqual({ state: 'built', stamp: 'then' });
  });

  it('is none where the environment is archived, gone or another tenant’s', async () => {
    const id = await make(1);
    expect(await stores(database.db, 'tnt_other').warmPools.find(id)).toBeNull();
    await own.environments.archive(id, NOW);
    expect(await own.warmPools.find(id)).toBeNull();
    expect(await own.environments.delete(id, NOW)).toBe(1);
    expect(await own.warmPools.find(id)).toBeNull();
  });

  it('is refused to an environment without sandboxes', async () => {
    const made = { name: 'Home', description: null, metadata: {}, scope: 'organization' as const, now: NOW };
    const config = { type: 'self_hosted' as const };
    const refused = { code: 'invalid_request', message: expect.stringContaining('capstan.warm_sandboxes') };
    await expect(own.environments.create({ ...made, config, warmSandboxes: 1 })).rejects.toMatchObject(
      refused,
    );
    const { id } = await own.environments.create({ ...made, config });
    await expect(own.environments.update(id, { warmSandboxes: 1 }, NOW)).rejects.toMatchObject(refused);
    expect((await own.environments.update(id, { warmSandboxes: 0 }, NOW)).capstan.warm_sandboxes).toBe(0);
  });

  it('is known to the sessions that are opened while there is one', async () => {
    const settings = plainAgent('Scribe', { model: { id: 'any' } });
    const agent = await own.agents.create({ settings, metadata: {}, now: NOW });
    const environmentId = await make(1);
    const begun = { agent: { id: agent.id }, environmentId, title: null, metadata: {}, now: NOW };
    const { id } = await own.sessions.create(begun);
    const warm = async () => (await own.sessions.load(id))?.warmPool;
    expect(await warm()).toBe(true);
    await own.environments.update(environmentId, { warmSandboxes: 0 }, NOW);
    expect(await warm()).toBe(false);
    await own.environments.delete(environmentId, NOW);
    expect(await warm()).toBe(false);
  });
});

describe('a sweep over all pools', () => {
  it('comes to each of them in turn, however many there are', async () => {
    const ids = [await make(1), await make(2), await make(3, OPEN_CLOUD, stores(database.db, 'tnt_other'))];
    await make(0);
    await own.environments.archive(await make(1), NOW);
    const rounds: string[][] = [];
    for (const later of [1, 2, 3]) {
      const found = await nextPools(database.db, NOW + later, 2);
      expect(found).toHaveLength(2);
      rounds.push(found.map(({ environmentId }) => environmentId));
    }
    // Two rounds reach all three, whichever they are.
    for (const two of [rounds.slice(0, 2), rounds.slice(1)])
      expect([...new Set(two.flat())].toSorted()).toEqual(ids.toSorted());
  });

  it('reads those that have one, and sorts nothing', async () => {
    const watched = watchPlans(database.binding);
    const steps = await watched.stepsOf(() => nextPools(openD1(watched.binding), NOW, 10));
    expect(readsOf(steps)).toContainEqual(expect.stringContaining('environments_warm'));
    expect(
      readsOf(steps).filter((read) => read.startsWith('SCAN environments') && !read.includes('INDEX')),
    ).toEqual([]);
    expect(sortsOf(steps)).toEqual([]);
  });
});
