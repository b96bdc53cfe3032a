// A courier with a clock that a test moves, over a real database, posting to a real receiver.
import { stores } from '@capstan/db/stores';
import { outbox } from '@capstan/db/tables/outbox';
import { webhookDeliveries, webhookEndpoints } from '@capstan/db/tables/webhooks';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import { WebhookRound } from '@capstan/db/webhook-round';
import { lateEndpoints, shareOut, sweepWebhooks } from '@capstan/db/webhook-sharing';
import { secretIdentity } from '@capstan/db/webhooks';
import { silentLogger } from '@capstan/shared/logger';
import { createSealer } from '@capstan/shared/seal';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openReceiver, type Receiver } from '../testing/receiver.ts';
import { deliver } from './courier.ts';
import { post } from './post.ts';
import { newSigningSecret } from './signature.ts';
import { RETRY_DELAYS } from './verdict.ts';

const TENANT = 'tnt_a';
const START = Date.UTC(2026, 10, 21);
const DAY = 86_400_000;
const sealer = createSealer(['a root secret'], 'tenant-secrets');

let database: TestDatabase;
let receiver: Receiver;
let now = START;
let endpoints = 0;

beforeAll(async () => {
  database = await openTestDatabase();
  receiver = await openReceiver();
});
afterAll(async () => {
  await database.close();
  await receiver.close();
});
beforeEach(async () => {
  now = START;
  const { db } = database;
  await db.batch([db.delete(outbox), db.delete(webhookDeliveries), db.delete(webhookEndpoints)]);
});

const ours = () => stores(database.db, TENANT);

async function listen(url?: string) {
  const id = `whep_${++endpoints}`;
  const path = `/${id}`;
  const secret = await sealer.seal(newSigningSecret(), secretIdentity(TENANT, id));
  const about = { name: '', description: '', enabledEvents: ['environment.*' as const], secret, now };
  await ours().webhooks.create({ id, url: url ?? receiver.origin + path, ...about });
  return { id, path };
}

const happens = async () => {
  const scope = 'organization' as const;
  const config = { type: 'cloud' as const, networking: { type: 'unrestricted' as const } };
  const packages = { type: 'packages' as const, apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] };
  const about = { name: 'E', description: null, metadata: {}, scope, now };
  await ours().environments.create({ ...about, config: { ...config, packages } });
};

const work = (endpointId: string, allowPrivate = [receiver.host]) =>
  deliver({
    tenantId: TENANT,
    endpointId,
    round: new WebhookRound({ db: database.db, tenantId: TENANT }, endpointId),
    sealer,
    post: (url, sending) => post(url, sending, { allowPrivate }),
    logger: silentLogger,
    now: () => now,
    random: () => 0.5,
  });

const deliveries = async (id: string) => (await ours().webhookDeliveries.list(id, { limit: 100 })).data;

describe('a delivery', () => {
  it('is tried twelve times in three days, then it is dead and its endpoint disabled', async () => {
    const { id, path } = await listen();
    receiver.answers.set(
      path,
      Array.from({ length: 20 }, () => ({ status: 500 })),
    );
    await happens();
    await shareOut(database.db, now);
    const waits: number[] = [];
    for (let next = await work(id); next !== null; next = await work(id)) {
      waits.push((next - now) / 1_000);
      now = next;
    }
    expect(waits).toEqual(RETRY_DELAYS);
    expect(receiver.at(path)).toHaveLength(12);
    const [delivery] = await deliveries(id);
    expect(delivery).toMatchObject({ status: 'failed', next_attempt_at: null });
    expect(delivery?.attempts).toHaveLength(12);
    const { state, disabled_reason } = await ours().webhooks.retrieve(id);
    expect([state, disabled_reason]).toEqual([
      'disabled',
      'Every delivery has failed since 2026-11-21T00:00:00.000Z',
    ]);
    const stamps = receiver.at(path).map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(new Set(stamps).size).toBe(12);
  });

  it('that is dead is sent again when it is asked for', async () => {
    const { id, path } = await listen();
    receiver.answers.set(
      path,
      Array.from({ length: 12 }, () => ({ status: 500 })),
    );
    await happens();
    await shareOut(database.db, now);
    for (let next = await work(id); next !== null; next = await work(id)) now = next;
    await ours().webhooks.update(id, { state: 'enabled' }, now);
    const [dead] = (await ours().webhookDeliveries.list(id, { limit: 1, statuses: ['failed'] })).data;
    await ours().webhookDeliveries.replay(id, dead?.id ?? '', now + 1);
    now += 1;
    expect(await work(id)).toBeNull();
    expect((await deliveries(id)).map(({ status, replay }) => [status, replay])).toEqual([
      ['delivered', true],
      ['failed', false],
    ]);
    const tried = receiver.at(path).map(({ headers }) => headers['webhook-id']);
    expect(new Set(tried)).toEqual(new Set([dead?.event_id]));
  });

  it('of a line that was cut is tried again, and leaves its endpoint alone', async () => {
    const { id, path } = await listen();
    receiver.answers.set(path, [{ status: 0 }]);
    await happens();
    await shareOut(database.db, now);
    now = (await work(id)) ?? 0;
    expect((await deliveries(id))[0]?.attempts[0]).toMatchObject({
      status_code: null,
      error: expect.any(String),
    });
    expect(await work(id)).toBeNull();
    expect((await ours().webhooks.retrieve(id)).state).toBe('enabled');
  });

  it('follows no redirect: it disables its endpoint', async () => {
    const { id, path } = await listen();
    const location = `${receiver.origin}/elsewhere-${id}`;
    receiver.answers.set(path, [{ status: 302, headers: { location } }]);
    await happens();
    await shareOut(database.db, now);
    expect(await work(id)).toBeNull();
    expect((await ours().webhooks.retrieve(id)).disabled_reason).toMatch(/redirects are not followed/);
    expect(receiver.at(`/elsewhere-${id}`)).toEqual([]);
  });

  it('to an address that has become private is not made', async () => {
    const { id, path } = await listen();
    await happens();
    await happens();
    await shareOut(database.db, now);
    expect(await work(id, [])).toBeNull();
    expect(receiver.at(path)).toEqual([]);
    expect((await ours().webhooks.retrieve(id)).disabled_reason).toMatch(/^Nothing is sent to its URL: /);
    const states = (await deliveries(id)).map(({ status }) => status).sort();
    expect(states).toEqual(['failed', 'failed']);
  });

  it('that was under way when its process died is made again', async () => {
    const { id, path } = await listen();
    await happens();
    await shareOut(database.db, now);
    const dies = new WebhookRound({ db: database.db, tenantId: TENANT }, id);
    const [due] = await dies.due(now, 1);
    expect(due?.attempts).toEqual([]);
    expect(await lateEndpoints(database.db, now)).toEqual([{ tenantId: TENANT, endpointId: id }]);
    expect(await work(id)).toBeNull();
    expect(receiver.at(path)).toHaveLength(1);
    expect(await lateEndpoints(database.db, now)).toEqual([]);
  });
});

describe('the outbox', () => {
  it('is shared out once, to those that were enabled when it happened', async () => {
    const first = await listen();
    await happens();
    now += 1_000;
    const late = await listen();
    await happens();
    expect((await shareOut(database.db, now)).events).toBe(2);
    expect(await shareOut(database.db, now)).toEqual({ events: 0, addresses: [] });
    expect(await deliveries(first.id)).toHaveLength(2);
    expect(await deliveries(late.id)).toHaveLength(1);
    const range = { from: START, to: now, now };
    await work(late.id);
    expect(await ours().webhookDeliveries.replayRange(late.id, range)).toBe(2);
    expect(await ours().webhookDeliveries.replayRange(late.id, range)).toBe(0);
  });

  it('is of one tenant: another is told nothing of it', async () => {
    const secret = 'sealed';
    const about = {
      url: receiver.origin,
      name: '',
      description: '',
      enabledEvents: ['*' as const],
      secret,
      now,
    };
    await stores(database.db, 'tnt_b').webhooks.create({ id: 'whep_b', ...about });
    await listen();
    await happens();
    const { addresses } = await shareOut(database.db, now);
    expect(addresses.map(({ tenantId }) => tenantId)).toEqual([TENANT]);
  });

  it('is swept after thirty days, but of nothing that is still to be delivered', async () => {
    const done = await listen();
    await happens();
    await shareOut(database.db, now);
    await work(done.id);
    const stuck = await listen();
    receiver.answers.set(stuck.path, [{ status: 500 }]);
    now += 1;
    await happens();
    await shareOut(database.db, now);
    await work(stuck.id);
    await work(done.id);
    expect(await sweepWebhooks(database.db, now + 29 * DAY)).toBe(0);
    // Two deliveries that are over, and the event that only one of them was of.
    expect(await sweepWebhooks(database.db, now + 31 * DAY)).toBe(3);
    expect(await database.db.$count(outbox)).toBe(1);
    expect(await deliveries(stuck.id)).toHaveLength(1);
  });
});
