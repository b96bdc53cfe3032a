import { MAX_SCHEDULED } from '@capstan/schema/deployments';
import { newId } from '@capstan/shared/ids';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewDeployment } from './deployments.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const daily = { type: 'cron' as const, expression: '0 9 * * *', timezone: 'Europe/Berlin' };

let database: TestDatabase;
let mine: Stores;

beforeAll(async () => {
  database = await openTestDatabase();
  mine = stores(database.db, 'tnt_deployments');
});
afterAll(() => database.close());

function create(over: Partial<NewDeployment> = {}, owner = mine) {
  return owner.deployments.create({
    id: newId('deployment', now),
    name: 'Report',
    description: null,
    agent: { id: 'agent_1', version: 1 },
    environmentId: 'env_1',
    initialEvents: [{ type: 'user.message', content: [{ type: 'text', text: 'Write.' }] }],
    resources: [],
    vaultIds: [],
    budget: null,
    schedule: daily,
    missedRuns: 'skip',
    metadata: {},
    now,
    ...over,
  });
}

describe('the schedules of a tenant', () => {
  it('are a thousand at most, of those that are not archived', async () => {
    const full = stores(database.db, 'tnt_full');
    const { id } = await create({}, full);
    const { results } = await database.binding.prepare('SELECT * FROM deployments LIMIT 1').all();
    const columns = Object.keys(results[0] ?? {}).filter((name) => name !== 'id');
    await database.binding
      .prepare(
        `WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_SCHEDULED})
         INSERT INTO deployments (id, ${columns.join(', ')})
         SELECT 'depl_' || i, ${columns.join(', ')} FROM n, deployments WHERE id = ?`,
      )
      .bind(id)
      .run();
    await expect(create({}, full)).rejects.toThrow(/schedule: 1000 deployments have one already/);
    const manual = await create({ schedule: null }, full);
    await expect(full.deployments.update(manual.id, { schedule: daily }, now)).rejects.toThrow(
      /schedule: 1000/,
    );
    await expect(create()).resolves.toMatchObject({ status: 'active' });
    await full.deployments.archive(id, now);
    await expect(full.deployments.update(manual.id, { schedule: daily }, now)).resolves.toMatchObject({
      schedule: daily,
    });
  });
});

describe('changes that race', () => {
  it('are made one after the other', async () => {
    const { id } = await create();
    const names = ['a', 'b', 'c'];
    await Promise.all(names.map((name) => mine.deployments.update(id, { metadata: { [name]: 'x' } }, now)));
    expect((await mine.deployments.retrieve(id, now)).metadata).toEqual({ a: 'x', b: 'x', c: 'x' });
  });

  it('leave alone what the clock has written meanwhile', async () => {
    const { id } = await create();
    await mine.deployments.pass(id, now + 60_000);
    await mine.deployments.update(id, { name: 'Other' }, now);
    expect((await mine.deployments.row(id)).handledUpTo).toBe(now + 60_000);
    await mine.deployments.pass(id, now);
    expect((await mine.deployments.row(id)).handledUpTo).toBe(now + 60_000);
    await mine.deployments.update(id, { schedule: { ...daily, timezone: 'UTC' } }, now + 90_000);
    expect((await mine.deployments.row(id)).handledUpTo).toBe(now + 90_000);
  });
});
