import { MAX_ENDPOINTS } from '@capstan/schema/webhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stores } from './stores.ts';
import { outbox } from './tables/outbox.ts';
import { webhookDeliveries, webhookEndpoints } from './tables/webhooks.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { shareOut } from './webhook-sharing.ts';

const NOW = Date.UTC(2026, 10, 21);
let database: TestDatabase;
let made = 0;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  const { db } = database;
  await db.batch([db.delete(outbox), db.delete(webhookDeliveries), db.delete(webhookEndpoints)]);
});

const own = () => stores(database.db, 'tnt_own');
const strange = () => stores(database.db, 'tnt_strange');

async function listen(store = own(), now = NOW): Promise<string> {
  const id = `whep_${String(++made).padStart(5, '0')}`;
  const about = { name: '', description: '', enabledEvents: ['*' as const], secret: 'sealed' };
  await store.webhooks.create({ id, url: 'https://example.com/', ...about, now });
  return id;
}

/** Something that is told of. */
const happens = (now: number) => own().vaults.create({ displayName: 'V', metadata: {}, now });

const statuses = async (id: string) =>
  (await own().webhookDeliveries.list(id, { limit: 100 })).data.map(({ status }) => status);

describe('the endpoints of a tenant', () => {
  it('are so many at most, whatever others have', async () => {
    for (let count = 0; count < MAX_ENDPOINTS; count++) await listen(strange());
    for (let count = 0; count < MAX_ENDPOINTS; count++) await listen();
    await expect(listen()).rejects.toMatchObject({ code: 'invalid_request' });
    const { data, has_more } = await own().webhooks.list({ limit: MAX_ENDPOINTS, order: 'asc' });
    expect(data).toHaveLength(MAX_ENDPOINTS);
    expect(has_more).toBe(false);
    await own().webhooks.delete(data[0]?.id ?? '');
    await listen();
  });

  it('are nobody else’s', async () => {
    const id = await listen();
    const unknown = { code: 'not_found' };
    await expect(strange().webhooks.retrieve(id)).rejects.toMatchObject(unknown);
    await expect(strange().webhooks.update(id, { name: 'x' }, NOW)).rejects.toMatchObject(unknown);
    await expect(strange().webhooks.delete(id)).rejects.toMatchObject(unknown);
    const secret = { secret: 'other', until: NOW, now: NOW };
    await expect(strange().webhooks.replaceSecret(id, secret)).rejects.toMatchObject(unknown);
    await expect(strange().webhookDeliveries.ping(id, NOW)).rejects.toMatchObject(unknown);
    const range = { from: 0, to: NOW, now: NOW };
    await expect(strange().webhookDeliveries.replayRange(id, range)).rejects.toMatchObject(unknown);
  });
});

describe('an endpoint that is disabled', () => {
  it('drops what was still to be sent, and nothing else', async () => {
    const id = await listen();
    const other = await listen();
    const sent = await own().webhookDeliveries.ping(id, NOW);
    await database.db.update(webhookDeliveries).set({ status: 'delivered', dueAt: null });
    await own().webhookDeliveries.ping(id, NOW + 1);
    await own().webhookDeliveries.ping(other, NOW + 1);
    await own().webhooks.update(id, { state: 'disabled' }, NOW + 2);
    expect(await statuses(id)).toEqual(['dropped', 'delivered']);
    expect(await own().webhookDeliveries.retrieve(id, sent.id)).toMatchObject({ status: 'delivered' });
    expect(await statuses(other)).toEqual(['pending']);
  });

  it('is told, once it is enabled, of what happens from then on', async () => {
    const id = await listen();
    await own().webhooks.update(id, { state: 'disabled' }, NOW + 1);
    await happens(NOW + 2);
    await own().webhooks.update(id, { state: 'enabled' }, NOW + 3);
    await happens(NOW + 3);
    expect(await shareOut(database.db, NOW + 4)).toMatchObject({ events: 2 });
    expect(await statuses(id)).toEqual(['pending']);
  });

  it('is not told when it is disabled while events are shared out', async () => {
    const id = await listen();
    await happens(NOW + 1);
    const racing = new Proxy(database.db, {
      get: (target, key) =>
        key === 'batch'
          ? async (statements: Parameters<typeof target.batch>[0]) => {
              await own().webhooks.update(id, { state: 'disabled' }, NOW + 2);
              return target.batch(statements);
            }
          : Reflect.get(target, key),
    });
    expect(await shareOut(racing, NOW + 3)).toMatchObject({ events: 1 });
    expect(await statuses(id)).toEqual([]);
  });

  it('goes with its deliveries when it is deleted', async () => {
    const id = await listen();
    await own().webhookDeliveries.ping(id, NOW);
    await own().webhooks.delete(id);
    expect(await database.db.select().from(webhookDeliveries)).toEqual([]);
  });
});

describe('a page of endpoints', () => {
  it('has more behind it only when there is more, in both directions', async () => {
    const ids: string[] = [];
    for (let count = 0; count < 4; count++) ids.push(await listen());
    const page = async (filter: { afterId?: string; beforeId?: string; limit: number }) => {
      const { data, has_more } = await own().webhooks.list({ order: 'asc', ...filter });
      return [data.map(({ id }) => ids.indexOf(id)), has_more];
    };
    expect(await page({ limit: 4 })).toEqual([[0, 1, 2, 3], false]);
    expect(await page({ limit: 3 })).toEqual([[0, 1, 2], true]);
    expect(await page({ limit: 2, beforeId: ids[3] ?? '' })).toEqual([[1, 2], true]);
    expect(await page({ limit: 2, beforeId: ids[2] ?? '' })).toEqual([[0, 1], false]);
    expect(await page({ limit: 2, afterId: ids[1] ?? '' })).toEqual([[2, 3], false]);
  });
});
