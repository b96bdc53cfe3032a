import Anthropic from '@anthropic-ai/sdk';
import { stores } from '@capstan/db/stores';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let agent: string;
let environment_id: string;
/** Of the first version of the agent, of the second, and of a deployment. */
let first: string;
let second: string;
let scheduled: string;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  agent = (await client.beta.agents.create({ name: 'Scribe', model: 'some-model' })).id;
  environment_id = (await client.beta.environments.create({ name: 'Open' })).id;
  first = (await client.beta.sessions.create({ agent, environment_id })).id;
  await client.beta.agents.update(agent, { name: 'Writer' });
  second = (await client.beta.sessions.create({ agent, environment_id })).id;
  const { sessions } = stores(world.db, 'tnt_default');
  const plain = { environmentId: environment_id, title: null, metadata: {}, now: Date.now() };
  scheduled = (await sessions.create({ ...plain, agent: { id: agent }, deploymentId: 'depl_1' })).id;
});
afterAll(() => world.close());

async function listed(query: Anthropic.Beta.SessionListParams): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of client.beta.sessions.list({ order: 'asc', ...query })) found.push(id);
  return found;
}

describe('a list of sessions', () => {
  it('is of one version of an agent, which counts for nothing without the agent', async () => {
    expect(await listed({ agent_id: agent, agent_version: 1 })).toEqual([first]);
    expect(await listed({ agent_id: agent, agent_version: 2 })).toEqual([second, scheduled]);
    expect(await listed({ agent_version: 1 })).toEqual([first, second, scheduled]);
  });

  it('is of one deployment or memory store, or empty', async () => {
    expect(await listed({ deployment_id: 'depl_1' })).toEqual([scheduled]);
    expect(await listed({ deployment_id: 'depl_2' })).toEqual([]);
    expect(await listed({ memory_store_id: 'memstore_1' })).toEqual([]);
    expect(await client.beta.sessions.retrieve(scheduled)).toMatchObject({ deployment_id: 'depl_1' });
  });

  it('is of the time and the statuses asked for, in pages that lead both ways', async () => {
    const { created_at } = await client.beta.sessions.retrieve(second);
    expect(await listed({ 'created_at[lt]': created_at })).toEqual([first]);
    expect(await listed({ 'created_at[lte]': created_at })).toEqual([first, second]);
    expect(await listed({ 'created_at[gt]': created_at })).toEqual([scheduled]);
    expect(await listed({ 'created_at[gte]': created_at })).toEqual([second, scheduled]);
    expect(await listed({ statuses: ['idle', 'running'] })).toHaveLength(3);
    expect(await listed({ statuses: ['terminated'] })).toEqual([]);
    const page = await client.beta.sessions.list({ order: 'asc', limit: 1 });
    const next = await client.beta.sessions.list({ order: 'asc', limit: 1, page: page.next_page ?? '' });
    const back = await client.beta.sessions.list({ order: 'asc', limit: 1, page: next.prev_page ?? '' });
    expect([page, next, back].map(({ data }) => data[0]?.id)).toEqual([first, second, first]);
    const turned = client.beta.sessions.list({ order: 'desc', limit: 1, page: page.next_page ?? '' });
    await expect(turned).rejects.toMatchObject({ status: 400 });
  });
});

describe('a session with vaults', () => {
  it('is refused with one that nobody has', async () => {
    const vault_ids = ['vlt_unknown'];
    const refused = client.beta.sessions.create({ agent, environment_id, vault_ids });
    await expect(refused).rejects.toMatchObject({
      status: 404,
      apiMessage: 'vault_ids.0: no vault vlt_unknown',
    });
    const many = Array.from({ length: 51 }, (_, index) => `vlt_${index}`);
    const tooMany = client.beta.sessions.create({ agent, environment_id, vault_ids: many });
    await expect(tooMany).rejects.toMatchObject({
      status: 400,
      apiMessage: expect.stringMatching(/^vault_ids/),
    });
  });
});
