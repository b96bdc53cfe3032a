import Anthropic from '@anthropic-ai/sdk';
import { openReceiver, type Received, type Receiver } from '@capstan/api/testing/receiver';
import { receipts } from '@capstan/db/tables/receipts';
import { webhookEndpoints } from '@capstan/db/tables/webhooks';
import type { WebhookDelivery } from '@capstan/schema/webhook-deliveries';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let receiver: Receiver;
let world: World;
let client: Anthropic;
let stranger: Anthropic;
let paths = 0;

beforeAll(async () => {
  receiver = await openReceiver();
  world = await openWorld({ privateHosts: receiver.host });
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(async () => {
  await world.close();
  await receiver.close();
});

const webhooks = () => client.beta.organization.webhooks;
/** The SDK knows the names of events of the organization alone. */
type Filter = Anthropic.Beta.Organization.WebhookCreateParams['enabled_events'];
const filters = (...names: string[]) => names as Filter;
const TOLD = { timeout: 20_000, interval: 20 };

async function listen(...names: string[]) {
  const path = `/hook-${++paths}`;
  const endpoint = await webhooks().create({
    url: receiver.origin + path,
    enabled_events: filters(...names),
  });
  return { path, ...endpoint };
}

async function call<T>(method: string, path: string, body?: object): Promise<T> {
  const headers = { 'x-api-key': world.key, 'content-type': 'application/json' };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await world.fetch(`/v1/organizations/webhooks/${path}`, { method, headers, ...sent });
  return await answer.json();
}

const deliveriesOf = async (id: string) =>
  (await call<{ data: WebhookDelivery[] }>('GET', `${id}/deliveries`)).data;
const first = (path: string): Received => receiver.at(path)[0] ?? { path, headers: {}, body: '' };
const typeOf = ({ body }: Received): string => JSON.parse(body).data.type;
const agent = () => client.beta.agents.create({ name: 'Told of', model: 'some-model' });

describe('a webhook endpoint', () => {
  it('is made, read, changed, listed both ways and deleted through the SDK', async () => {
    const made = await webhooks().create({
      url: 'https://example.com/hook',
      enabled_events: ['external_key.failed'],
      name: 'Mine',
    });
    const { signing_secret, ...shown } = made;
    expect(signing_secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(shown).toEqual({
      id: expect.stringMatching(/^whep_/),
      url: 'https://example.com/hook',
      name: 'Mine',
      description: '',
      enabled_events: ['external_key.failed'],
      state: 'enabled',
      disabled_reason: '',
      created_at: expect.any(String),
      updated_at: shown.created_at,
    });
    expect(await webhooks().retrieve(made.id)).toEqual(shown);
    const changed = await webhooks().update(made.id, { enabled_events: [], state: 'disabled', name: '' });
    expect(changed).toMatchObject({ state: 'disabled', name: '', enabled_events: ['external_key.failed'] });
    await expect(stranger.beta.organization.webhooks.retrieve(made.id)).rejects.toMatchObject({
      status: 404,
    });
    expect(await webhooks().delete(made.id)).toEqual({ id: made.id, type: 'webhook_endpoint_deleted' });
    await expect(webhooks().retrieve(made.id)).rejects.toMatchObject({ status: 404 });
  });

  it('is listed page by page, from either end', async () => {
    const mine = stranger.beta.organization.webhooks;
    const made: string[] = [];
    for (let count = 0; count < 5; count++)
      made.push((await mine.create({ url: 'https://example.com/', enabled_events: filters('*') })).id);
    const newest = made.toReversed();
    const listed: string[] = [];
    for await (const { id } of mine.list({ limit: 2 })) listed.push(id);
    expect(listed).toEqual(newest);
    const before = await mine.list({ limit: 2, before_id: newest[4] ?? '' });
    expect(before).toMatchObject({ has_more: true, first_id: newest[2], last_id: newest[3] });
    const backwards: string[] = [];
    for await (const { id } of before) backwards.push(id);
    expect(backwards).toEqual([newest[2], newest[3], newest[0], newest[1]]);
    const oldest = await mine.list({ order: 'asc', limit: 1 });
    expect(oldest.data[0]?.id).toBe(made[0]);
    const [first = '', last = ''] = made;
    for (const turn of [{ after_id: first, before_id: last }, { after_id: 'none' }])
      await expect(mine.list(turn)).rejects.toMatchObject({ status: 400 });
  });

  it.each([
    ['http://example.com/', /^url: .*https/],
    ['https://127.0.0.1/', /^url: .*public/],
    ['https://[::1]/', /^url: .*public/],
    ['https://0x7f.1/', /^url: .*public/],
    ['https://169.254.169.254/latest/meta-data', /^url: .*public/],
    ['https://localhost/', /^url: .*public/],
    ['https://db.internal/', /^url: .*public/],
    ['https://user:secret@example.com/', /^url: .*user name/],
    ['nonsense', /^url: /],
  ])('is not at %s', async (url, message) => {
    const creation = webhooks().create({ url, enabled_events: filters('*') });
    await expect(creation).rejects.toMatchObject({ status: 400, apiMessage: expect.stringMatching(message) });
  });

  it('wants at least one event, and none that does not exist', async () => {
    const url = 'https://example.com/';
    await expect(webhooks().create({ url, enabled_events: [] })).rejects.toMatchObject({ status: 400 });
    const unknown = webhooks().create({ url, enabled_events: filters('session.exploded') });
    await expect(unknown).rejects.toMatchObject({
      status: 400,
      apiMessage: expect.stringMatching(/^enabled_events\.0: .*session\.status_idled/s),
    });
  });

  it('names each event once, however often it was given', async () => {
    const twice = filters('session.status_idled', 'session.created', 'session.status_idled');
    const made = await webhooks().create({ url: 'https://example.com/', enabled_events: twice });
    expect(made.enabled_events).toEqual(['session.status_idled', 'session.created']);
    const changed = await webhooks().update(made.id, { enabled_events: filters('*', '*') });
    expect(changed.enabled_events).toEqual(['*']);
    await webhooks().delete(made.id);
  });

  it('has its secret sealed wherever it is kept', async () => {
    const headers = { 'idempotency-key': 'one endpoint' };
    const params = { url: 'https://example.com/', enabled_events: filters('vault.created') };
    const made = await webhooks().create(params, { headers });
    expect(await webhooks().create(params, { headers })).toEqual(made);
    const kept = [
      ...(await world.db.select().from(webhookEndpoints)),
      ...(await world.db.select().from(receipts)),
    ];
    expect(kept.length).toBeGreaterThan(1);
    expect(JSON.stringify(kept)).not.toContain(made.signing_secret.slice('whsec_'.length));
    await webhooks().delete(made.id);
  });
});

describe('an event', () => {
  it('reaches who wants it, as the SDK unwraps it', async () => {
    const hook = await listen('agent.created');
    const other = await listen('agent.archived', 'environment.*');
    const { id } = await agent();
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(1);
    const { body, headers } = first(hook.path);
    const event = client.beta.webhooks.unwrap(body, { headers, key: hook.signing_secret });
    expect(event).toEqual({
      type: 'event',
      id: headers['webhook-id'],
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: { type: 'agent.created', id, organization_id: 'tnt_default', workspace_id: 'wrkspc_default' },
    });
    const unwrap = (changed: string, key = hook.signing_secret) =>
      client.beta.webhooks.unwrap(changed, { headers, key });
    expect(() => unwrap(body.replace('agent.created', 'agent.deleted'))).toThrow();
    expect(() => unwrap(body, other.signing_secret)).toThrow();
    await client.beta.agents.archive(id);
    await expect.poll(() => receiver.at(other.path).map(typeOf), TOLD).toEqual(['agent.archived']);
    expect(receiver.at(hook.path)).toHaveLength(1);
  });

  it('is signed with both secrets while one replaces the other', async () => {
    const hook = await listen('agent.created');
    const { signing_secret: next } = await webhooks().regenerateSigningSecret(hook.id);
    expect(next).not.toBe(hook.signing_secret);
    await agent();
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(1);
    const { body, headers } = first(hook.path);
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
    for (const key of [hook.signing_secret, next]) client.beta.webhooks.unwrap(body, { headers, key });
    const { signing_secret: last } = await call<{ signing_secret: string }>(
      'POST',
      `${hook.id}/regenerate_signing_secret`,
      { overlap_seconds: 0 },
    );
    await agent();
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(2);
    const [, second] = receiver.at(hook.path);
    const sent = { headers: second?.headers ?? {} };
    client.beta.webhooks.unwrap(second?.body ?? '', { ...sent, key: last });
    expect(() => client.beta.webhooks.unwrap(second?.body ?? '', { ...sent, key: next })).toThrow();
  });

  it('is tried again under the same id until it is taken, and its deliveries say so', async () => {
    const hook = await listen('agent.created');
    const body = 'try later: token=whatever-this-is';
    receiver.answers.set(hook.path, [{ status: 503, body }]);
    await agent();
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(2);
    const ids = receiver.at(hook.path).map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
    await expect.poll(async () => (await deliveriesOf(hook.id))[0]?.status, TOLD).toBe('delivered');
    const [delivery] = await deliveriesOf(hook.id);
    expect(delivery).toMatchObject({
      event_id: ids[0],
      event_type: 'agent.created',
      replay: false,
      next_attempt_at: null,
      attempts: [
        { status_code: 503, error: 'answered 503', response_excerpt: 'try later: [removed]' },
        { status_code: 200, error: null, response_excerpt: null },
      ],
    });
    expect(await call('GET', `${hook.id}/deliveries/${delivery?.id}`)).toEqual(delivery);
    expect((await call<{ data: [] }>('GET', `${hook.id}/deliveries?statuses[]=failed`)).data).toEqual([]);
  }, 60_000);

  it('waits for nobody who is slow', async () => {
    const slow = await listen('agent.created');
    const quick = await listen('agent.created');
    receiver.held.add(slow.path);
    for (let count = 0; count < 6; count++) await agent();
    await expect.poll(() => receiver.at(quick.path), { ...TOLD, timeout: 8_000 }).toHaveLength(6);
    expect(receiver.at(slow.path).length).toBeLessThanOrEqual(4);
    await webhooks().delete(slow.id);
  }, 60_000);
});

describe('an endpoint is disabled', () => {
  it('by the answer that it is gone, and has to be enabled to be told more', async () => {
    const hook = await listen('agent.created');
    receiver.answers.set(hook.path, [{ status: 410 }]);
    await agent();
    await expect.poll(async () => (await webhooks().retrieve(hook.id)).state, TOLD).toBe('disabled');
    expect((await webhooks().retrieve(hook.id)).disabled_reason).toBe('It answered 410: it is gone');
    const refused = await call<{ error: { message: string } }>('POST', `${hook.id}/ping`);
    expect(refused.error.message).toMatch(/is disabled: set its state to "enabled" first/);
    await agent();
    const enabled = await webhooks().update(hook.id, { state: 'enabled' });
    expect(enabled).toMatchObject({ state: 'enabled', disabled_reason: '' });
    const { id } = await agent();
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(2);
    expect(JSON.parse(receiver.at(hook.path)[1]?.body ?? '').data.id).toBe(id);
  }, 60_000);
});

describe('what was told', () => {
  it('is told again, one event or a stretch of time', async () => {
    const hook = await listen('agent.created');
    const from = new Date().toISOString();
    await agent();
    await agent();
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(2);
    await expect
      .poll(async () => (await deliveriesOf(hook.id)).every(({ status }) => status === 'delivered'), TOLD)
      .toBe(true);
    const [last] = await deliveriesOf(hook.id);
    const again = await call<WebhookDelivery>('POST', `${hook.id}/deliveries/${last?.id}/replay`);
    expect(again).toMatchObject({ event_id: last?.event_id, replay: true, status: 'pending', attempts: [] });
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(3);
    expect(receiver.at(hook.path)[2]?.headers['webhook-id']).toBe(last?.event_id);
    await expect
      .poll(async () => (await deliveriesOf(hook.id)).every(({ status }) => status === 'delivered'), TOLD)
      .toBe(true);
    expect(await call('POST', `${hook.id}/replay`, { created_at: { gte: from } })).toEqual({
      type: 'webhook_replay',
      deliveries: 2,
    });
    await expect.poll(() => receiver.at(hook.path), TOLD).toHaveLength(5);
    const earlier = new Date(Date.parse(from) - 1_000).toISOString();
    const none = { created_at: { gte: earlier, lte: earlier } };
    expect(await call('POST', `${hook.id}/replay`, none)).toMatchObject({ deliveries: 0 });
  }, 60_000);

  it('can be tried with a ping', async () => {
    const hook = await listen('vault.created');
    const ping = await call<WebhookDelivery>('POST', `${hook.id}/ping`);
    expect(ping).toMatchObject({ event_type: 'webhook_endpoint.ping', status: 'pending' });
    await expect.poll(() => receiver.at(hook.path).map(typeOf), TOLD).toEqual(['webhook_endpoint.ping']);
  });
});

describe('the organization', () => {
  it('is the tenant of the key', async () => {
    const mine = await client.beta.organization.retrieve();
    expect(mine).toEqual({ id: 'tnt_default', name: expect.any(String), type: 'organization' });
    expect((await stranger.beta.organization.retrieve()).name).toBe('Stranger');
  });
});
