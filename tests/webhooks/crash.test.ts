// workerd killed between a change and what webhooks tell of it, again and again: every event arrives, under one id.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openReceiver, type Receiver } from '../../packages/api/src/testing/receiver.ts';
import { kill } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';

let receiver: Receiver;
let platform: TestPlatform;
let client: Anthropic;

beforeAll(async () => {
  receiver = await openReceiver();
  platform = await TestPlatform.open({ vars: { PRIVATE_HOSTS: receiver.host }, restartAfterMs: 100 });
  client = platform.connect();
}, 240_000);

afterAll(async () => {
  await platform.close();
  await receiver.close();
});

const told = () =>
  receiver.at('/hook').map(({ body }) => {
    const { id, data } = JSON.parse(body);
    return { event: String(id), type: String(data.type), of: String(data.id) };
  });

it('loses nothing that was told of', async () => {
  const url = `${receiver.origin}/hook`;
  const wanted: string[] = ['agent.created', 'session.status_idled'];
  const body = { url, enabled_events: wanted };
  await client.post('/v1/organizations/webhooks', { body });
  const environment = await client.beta.environments.create({ name: 'Killed' });
  const made: string[] = [];
  for (let round = 0; round < 3; round++) {
    const agent = await client.beta.agents.create({ name: `Killed ${round}`, model: 'claude-sonnet-4-6' });
    const session = await client.beta.sessions.create({
      agent: agent.id,
      environment_id: environment.id,
      initial_events: [{ type: 'user.message', content: [{ type: 'text', text: '[[say well]]' }] }],
    });
    made.push(agent.id, session.id);
    expect(kill(platform, 'workerd')).toBe(true);
  }
  const reached = () => new Set(told().map(({ of }) => of));
  await expect.poll(() => [...reached()].sort(), { timeout: 90_000, interval: 100 }).toEqual(made.sort());
  const ids = new Map(told().map(({ type, of, event }) => [`${type} ${of}`, event]));
  for (const { type, of, event } of told()) expect(ids.get(`${type} ${of}`)).toBe(event);
}, 180_000);

it('follows no redirect in the real runtime', async () => {
  const location = `${receiver.origin}/elsewhere`;
  receiver.answers.set('/moved', [{ status: 307, headers: { location } }]);
  const body = { url: `${receiver.origin}/moved`, enabled_events: ['agent.created'] };
  const { id } = (await client.post('/v1/organizations/webhooks', { body })) as { id: string };
  await client.beta.agents.create({ name: 'Moved', model: 'claude-sonnet-4-6' });
  const state = async () => (await client.beta.organization.webhooks.retrieve(id)).state;
  await expect.poll(state, { timeout: 30_000, interval: 100 }).toBe('disabled');
  expect(receiver.at('/elsewhere')).toEqual([]);
}, 60_000);
