import { eq, sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { announce, announceAll } from './outbox.ts';
import type { Scope } from './scope.ts';
import { outbox } from './tables/outbox.ts';
import { tenants } from './tables/tenants.ts';
import { webhookDeliveries, webhookEndpoints } from './tables/webhooks.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { WebhookStore } from './webhooks.ts';

let database: TestDatabase;
let scope: Scope;

beforeAll(async () => {
  database = await openTestDatabase();
  scope = { db: database.db, tenantId: 'tnt_a' };
});
afterAll(() => database.close());

beforeEach(async () => {
  await scope.db.batch([
    scope.db.delete(outbox),
    scope.db.delete(webhookDeliveries),
    scope.db.delete(webhookEndpoints),
  ]);
});

const listen = (tenantId = scope.tenantId) =>
  new WebhookStore({ ...scope, tenantId }).create({
    id: `whep_${tenantId}`,
    url: 'https://example.com/',
    name: '',
    description: '',
    enabledEvents: ['*'],
    secret: 'sealed',
    now: 1,
  });
const told = () => scope.db.select().from(outbox);
const NEWS = { type: 'agent.created' as const, id: 'agent_1', now: 5 };

describe('an announcement', () => {
  it('is kept with the change that it tells of', async () => {
    await listen();
    const change = scope.db.insert(tenants).values({ id: 'tnt_new', name: 'New', createdAt: 0 });
    await scope.db.batch([change, ...announce(scope, NEWS)]);
    expect(await told()).toEqual([
      {
        id: expect.stringMatching(/^whe_[0-9a-z]{24}$/),
        tenantId: 'tnt_a',
        type: 'agent.created',
        subject: { id: 'agent_1' },
        createdAt: 5,
        sharedOutAt: null,
      },
    ]);
  });

  it('goes when the change is refused', async () => {
    await listen();
    const change = scope.db.insert(tenants).values({ id: 'tnt_default', name: 'Twice', createdAt: 0 });
    await expect(scope.db.batch([...announce(scope, NEWS), change])).rejects.toThrow();
    expect(await told()).toEqual([]);
  });

  it('is not kept where the tenant has no endpoint', async () => {
    await listen('tnt_b');
    await announce(scope, NEWS)[0];
    expect(await told()).toEqual([]);
  });

  it('is kept when its condition holds', async () => {
    await listen();
    const there = (id: string) => sql`EXISTS (SELECT 1 FROM ${tenants} WHERE ${eq(tenants.id, id)})`;
    await announce(scope, NEWS, there('tnt_nobody'))[0];
    expect(await told()).toEqual([]);
    await announce(scope, NEWS, there('tnt_default'))[0];
    expect(await told()).toHaveLength(1);
  });

  it('is kept once under an id of its own', async () => {
    await listen();
    const thread = { type: 'session.thread_idled' as const, id: 'sesn_1', threadId: 'sthr_1', now: 7 };
    const all = [
      { ...NEWS, eventId: 'whe_1' },
      { ...thread, eventId: 'whe_2' },
    ];
    for (let round = 0; round < 2; round++) await announceAll(scope, all)[0];
    expect((await told()).map(({ id, type, subject }) => [id, type, subject])).toEqual([
      ['whe_1', 'agent.created', { id: 'agent_1' }],
      ['whe_2', 'session.thread_idled', { id: 'sesn_1', session_thread_id: 'sthr_1' }],
    ]);
  });
});
