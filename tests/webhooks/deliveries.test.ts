// workerd killed at every step of a delivery: the event arrives at least once under one id, the log says what is known of its
// attempts, and no endpoint is left with something that nobody sends.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openReceiver, type Receiver } from '../../packages/api/src/testing/receiver.ts';
import { FailpointServer } from '../support/failpoint-server.ts';
import { kill } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';

interface Delivery {
  event_id: string;
  status: string;
  next_attempt_at: string | null;
  attempts: { status_code: number | null; error: string | null }[];
}

const WITHIN = { timeout: 90_000, interval: 100 };
let server: FailpointServer;
let receiver: Receiver;
let platform: TestPlatform;
let client: Anthropic;

beforeAll(async () => {
  [server, receiver] = await Promise.all([FailpointServer.start(), openReceiver()]);
  platform = await TestPlatform.open({
    vars: { PRIVATE_HOSTS: receiver.host, FAILPOINTS: server.url },
    restartAfterMs: 100,
  });
  client = platform.connect();
}, 240_000);

afterAll(async () => {
  await platform.close();
  server.stop();
  await receiver.close();
});

const die = () => expect(kill(platform, 'workerd')).toBe(true);

async function open(path: string): Promise<string> {
  const body = { url: `${receiver.origin}${path}`, enabled_events: ['agent.created'] };
  const { id } = await client.post<{ id: string }>('/v1/organizations/webhooks', { body });
  return id;
}

async function log(endpoint: string): Promise<Delivery[]> {
  const path = `/v1/organizations/webhooks/${endpoint}/deliveries`;
  return (await client.get<{ data: Delivery[] }>(path)).data;
}

const eventsAt = (path: string) => receiver.at(path).map(({ body }) => String(JSON.parse(body).id));
const delivered = { status: 'delivered', next_attempt_at: null };
const ok = expect.objectContaining({ status_code: 200, error: null });

it.each([
  { point: 'courier.post:before', requests: 1 },
  { point: 'courier.post:after', requests: 2 },
  { point: 'courier.record:before', requests: 2 },
  { point: 'courier.record:after', requests: 1 },
])(
  'arrives when its process dies at $point',
  async ({ point, requests }) => {
    const path = `/${point.replace(/\W/g, '-')}`;
    const endpoint = await open(path);
    const struck = server.strike({ point, session: endpoint, kill: die });
    await client.beta.agents.create({ name: point, model: 'claude-sonnet-4-6' });
    await struck;
    await expect.poll(() => log(endpoint), WITHIN).toMatchObject([delivered]);
    const [delivery] = await log(endpoint);
    // An attempt that died with its process is known to nobody but the receiver.
    expect(delivery?.attempts).toEqual([ok]);
    expect(eventsAt(path)).toEqual(Array.from({ length: requests }, () => delivery?.event_id));
  },
  120_000,
);

it('arrives when its process dies while the receiver has it', async () => {
  const endpoint = await open('/held');
  receiver.held.add('/held');
  await client.beta.agents.create({ name: 'Held', model: 'claude-sonnet-4-6' });
  await expect.poll(() => eventsAt('/held').length, WITHIN).toBe(1);
  die();
  receiver.held.delete('/held');
  await expect.poll(() => log(endpoint), WITHIN).toMatchObject([{ ...delivered, attempts: [ok] }]);
  expect(new Set(eventsAt('/held')).size).toBe(1);
}, 120_000);

it('keeps to its retries when its process dies between them', async () => {
  const endpoint = await open('/late');
  receiver.answers.set('/late', [{ status: 503 }]);
  const struck = server.strike({ point: 'courier.record:after', session: endpoint, kill: die });
  await client.beta.agents.create({ name: 'Late', model: 'claude-sonnet-4-6' });
  await struck;
  const failed = expect.objectContaining({ status_code: 503, error: 'answered 503' });
  await expect.poll(() => log(endpoint), WITHIN).toMatchObject([{ ...delivered, attempts: [failed, ok] }]);
  expect(eventsAt('/late')).toHaveLength(2);
}, 120_000);
