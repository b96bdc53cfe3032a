// Warm pools on real processes: sandboxes that are there before their session, and are nobody's until then.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, prepare, type SessionEvents, textOf } from '../support/conversation.ts';
import { FailpointServer } from '../support/failpoint-server.ts';
import { kill } from '../support/processes.ts';
import { SandboxView } from '../support/sandbox-view.ts';
import { TestPlatform } from '../support/test-platform.ts';

let view: SandboxView;
let failpoints: FailpointServer;
let platform: TestPlatform;
let client: Anthropic;
let agent: string;

beforeAll(async () => {
  failpoints = await FailpointServer.start();
  platform = await TestPlatform.open({ vars: { FAILPOINTS: failpoints.url }, restartAfterMs: 200 });
  view = new SandboxView(platform.state);
  client = platform.connect();
  agent = (await prepare(client, 'claude-sonnet-4-6')).agent;
}, 240_000);

afterAll(async () => {
  await platform.close();
  await failpoints.stop();
});

const soon = { timeout: 60_000, interval: 100 };

interface Pool {
  wanted: number;
  ready: number;
  last_error: string | null;
  price: { usd_per_hour: string; basis: { source: string } };
}

const poolOf = (id: string) => client.get<Pool>(`/v1/environments/${id}/warm_pool`);
const ready = (id: string, count: number) =>
  expect.poll(async () => (await poolOf(id)).ready, soon).toBe(count);
const alive = async () => (await view.sandboxes.list()).length;

async function warmed(warm_sandboxes: number, config: object = { type: 'cloud' }): Promise<string> {
  const body = { name: 'Warm', config, capstan: { warm_sandboxes } };
  const { id } = await client.post<{ id: string }>('/v1/environments', { body });
  await ready(id, warm_sandboxes);
  return id;
}

const bootsOf = (events: SessionEvents) => events.filter(({ type }) => String(type) === 'span.sandbox_boot');

it('gives a session one of those that wait, and makes another in its place', async () => {
  const environment_id = await warmed(2);
  const before = await alive();
  const session = await Conversation.begin(
    client,
    { agent, environment_id },
    'Run: echo from $HOSTNAME; ls -A',
  );
  const boots = bootsOf(await session.ended());
  expect(boots).toMatchObject([{ sandbox: 'warm', phases: [{ name: 'image' }, { name: 'claim' }] }]);
  await ready(environment_id, 2);
  await expect.poll(alive, soon).toBe(before + 1);
  const price = { usd_per_hour: '0', basis: { source: 'local' } };
  expect(await poolOf(environment_id)).toMatchObject({ wanted: 2, last_error: null, price });
  await client.beta.sessions.delete(session.id);
  await client.beta.environments.archive(environment_id);
  await expect.poll(alive, soon).toBe(before - 2);
}, 120_000);

it('is connected to what its session may reach, and to nothing before', async () => {
  const networking = { type: 'limited', allowed_hosts: ['allowed.invalid'] };
  const environment_id = await warmed(1, { type: 'cloud', networking });
  const vault = (await client.beta.vaults.create({ display_name: 'Warm' })).id;
  await client.beta.vaults.credentials.create(vault, {
    auth: {
      type: 'environment_variable',
      secret_name: 'WARM_KEY',
      secret_value: 'a secret of the vault',
      networking: { type: 'limited', allowed_hosts: ['allowed.invalid'] },
    },
  });
  // What waits: no host at all.
  const [waiting] = (await view.sandboxes.list()).slice(-1);
  const ask = (host: string) => `curl -sm 20 -H "x-key: $WARM_KEY" http://${host}/; echo " [${host}]"`;
  const early = await view.sandboxes.exec({
    sandboxId: waiting?.sandboxId ?? '',
    command: ask('allowed.invalid'),
  });
  expect(new TextDecoder().decode(early.stdout)).toContain('host_not_allowed');
  const session = await client.beta.sessions.create({ agent, environment_id, vault_ids: [vault] });
  const conversation = new Conversation(client, session.id);
  await conversation.say(`Run: echo "key $WARM_KEY"; ${ask('allowed.invalid')}; ${ask('other.invalid')}`);
  const events = await conversation.ended();
  expect(bootsOf(events)).toMatchObject([{ sandbox: 'warm' }]);
  const result = textOf(events, 'agent.tool_result');
  expect(result).toMatch(/key capstan_ph_\w{32}/);
  const [toAllowed = '', toOther = ''] = result.split('[allowed.invalid]');
  // The host is let through, and its credential is known at the edge.
  expect(toAllowed).toContain('credential_needs_tls');
  expect(toOther).toMatch(/host_not_allowed.*\[other\.invalid\]/s);
  await client.beta.sessions.delete(session.id);
  await client.beta.environments.delete(environment_id);
  await expect.poll(alive, soon).toBe(0);
}, 180_000);

describe('when workerd dies between a claim and its record', () => {
  it('the session has that sandbox and no other, and as many wait as before', async () => {
    const environment_id = await warmed(2);
    const before = await alive();
    const session = await client.beta.sessions.create({ agent, environment_id });
    const struck = failpoints.strike({
      point: 'sandbox.set_network:after',
      session: session.id,
      kill: () => kill(platform, 'workerd'),
    });
    const conversation = new Conversation(client, session.id);
    await conversation.say('Run: echo alive');
    await struck;
    const events = await conversation.until((all) => textOf(all, 'agent.tool_result').includes('alive'));
    expect(bootsOf(events)).toMatchObject([{ sandbox: 'warm' }]);
    await conversation.ended();
    await ready(environment_id, 2);
    await expect.poll(alive, soon).toBe(before + 1);
    expect(await view.of(session.id)).toBeNull();
    await client.beta.sessions.delete(session.id);
    await client.beta.environments.delete(environment_id);
    await expect.poll(alive, soon).toBe(before - 2);
  }, 180_000);
});
