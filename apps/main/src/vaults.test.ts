import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());

const vaults = () => client.beta.vaults;
const SERVER = 'https://mcp.example.com/mcp';

describe('a vault', () => {
  it('is kept as it was given, and shown to its tenant only', async () => {
    const made = await vaults().create({ display_name: 'Production', metadata: { team: 'a' } });
    expect(made).toEqual({
      id: expect.stringMatching(/^vlt_/),
      type: 'vault',
      display_name: 'Production',
      metadata: { team: 'a' },
      created_at: made.updated_at,
      updated_at: expect.stringMatching(/Z$/),
      archived_at: null,
    });
    expect(await vaults().retrieve(made.id)).toEqual(made);
    await expect(stranger.beta.vaults.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.beta.vaults.archive(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.beta.vaults.delete(made.id)).rejects.toMatchObject({ status: 404 });
    expect(await vaults().retrieve(made.id)).toEqual(made);
  });

  it('changes what is given and keeps the rest', async () => {
    const made = await vaults().create({ display_name: 'First', metadata: { a: '1', b: '2' } });
    const changed = await vaults().update(made.id, { metadata: { a: null, c: '3' } });
    expect(changed).toMatchObject({ display_name: 'First', metadata: { b: '2', c: '3' } });
    expect(await vaults().update(made.id, { display_name: 'Second' })).toMatchObject({
      display_name: 'Second',
      metadata: { b: '2', c: '3' },
    });
    expect(await vaults().update(made.id, { display_name: null, metadata: null })).toMatchObject({
      display_name: 'Second',
      metadata: { b: '2', c: '3' },
    });
  });

  it.each([
    [{}, /display_name: required/],
    [{ display_name: '' }, /display_name/],
    [{ display_name: 'x'.repeat(256) }, /display_name/],
    [{ display_name: 'x', metadata: { ['k'.repeat(65)]: 'v' } }, /metadata/],
    [{ display_name: 'x', metadata: { k: 'v'.repeat(513) } }, /metadata/],
    [
      { display_name: 'x', metadata: Object.fromEntries([...Array(17).keys()].map((n) => [n, ''])) },
      /16 pairs/,
    ],
  ])('is refused as %j', async (body, message) => {
    const refused = vaults().create(body as Anthropic.Beta.Vaults.VaultCreateParams);
    await expect(refused).rejects.toMatchObject({ status: 400, message: expect.stringMatching(message) });
  });

  it('is archived once, with its credentials, and changes no more', async () => {
    const { id } = await vaults().create({ display_name: 'Old' });
    const auth = { type: 'static_bearer' as const, mcp_server_url: SERVER, token: 'canary-bearer-token' };
    const credential = await vaults().credentials.create(id, { auth });
    const archived = await vaults().archive(id);
    expect(archived.archived_at).not.toBeNull();
    expect(await vaults().archive(id)).toEqual(archived);
    const kept = await vaults().credentials.retrieve(credential.id, { vault_id: id });
    expect(kept.archived_at).toBe(archived.archived_at);
    await expect(vaults().update(id, { display_name: 'New' })).rejects.toMatchObject({ status: 400 });
    await expect(vaults().credentials.create(id, { auth })).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(/archived/),
    });
    const listed = (await vaults().list()).data.map((vault) => vault.id);
    expect(listed).not.toContain(id);
    const all = (await vaults().list({ include_archived: true, limit: 100 })).data.map((vault) => vault.id);
    expect(all).toContain(id);
  });

  it('is deleted with its credentials', async () => {
    const { id } = await vaults().create({ display_name: 'Gone' });
    const auth = { type: 'static_bearer' as const, mcp_server_url: SERVER, token: 't' };
    const credential = await vaults().credentials.create(id, { auth });
    expect(await vaults().delete(id)).toEqual({ id, type: 'vault_deleted' });
    await expect(vaults().delete(id)).rejects.toMatchObject({ status: 404 });
    await expect(vaults().credentials.list(id)).rejects.toMatchObject({ status: 404 });
    await expect(vaults().credentials.retrieve(credential.id, { vault_id: id })).rejects.toMatchObject({
      status: 404,
    });
  });

  it('is listed newest first, page by page', async () => {
    const made: string[] = [];
    for (const display_name of ['one', 'two', 'three'])
      made.unshift((await vaults().create({ display_name })).id);
    const seen: string[] = [];
    for await (const vault of vaults().list({ limit: 2 })) {
      seen.push(vault.id);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(made);
  });
});

describe('a session', () => {
  const create = async (vault_ids: string[]) => {
    const agent = await client.beta.agents.create({ name: 'Clerk', model: 'some-model' });
    const environment = await client.beta.environments.create({ name: 'Anywhere' });
    return client.beta.sessions.create({ agent: agent.id, environment_id: environment.id, vault_ids });
  };

  it('is given vaults in their order, and goes on when they are archived', async () => {
    const first = await vaults().create({ display_name: 'First' });
    const second = await vaults().create({ display_name: 'Second' });
    const session = await create([second.id, first.id]);
    expect(session.vault_ids).toEqual([second.id, first.id]);
    await vaults().archive(first.id);
    await vaults().delete(second.id);
    expect((await client.beta.sessions.retrieve(session.id)).vault_ids).toEqual([second.id, first.id]);
  });

  it('is refused vaults that are archived, unknown or of somebody else', async () => {
    const open = await vaults().create({ display_name: 'Open' });
    const archived = await vaults().create({ display_name: 'Archived' });
    await vaults().archive(archived.id);
    const theirs = await stranger.beta.vaults.create({ display_name: 'Theirs' });
    const refused = (ids: string[]) => expect(create(ids)).rejects;
    const first = { message: expect.stringMatching(/vault_ids\.1/) };
    await refused([open.id, archived.id]).toMatchObject({ status: 400, ...first });
    await refused([open.id, theirs.id]).toMatchObject({ status: 404, ...first });
    await refused([open.id, 'vlt_none']).toMatchObject({ status: 404, ...first });
    await refused(Array(51).fill(open.id)).toMatchObject({ status: 400 });
  });

  it('that has a vault is told when a variable of it changes or ends, and nobody else is', async () => {
    const [one, other] = [
      await vaults().create({ display_name: 'One' }),
      await vaults().create({ display_name: 'Other' }),
    ];
    const type = 'environment_variable' as const;
    const networking = { type: 'unrestricted' as const };
    const auth = { type, secret_name: 'KEY', secret_value: 'canary-value', networking };
    const { id } = await vaults().credentials.create(one.id, { auth });
    const mine = await create([other.id, one.id]);
    const theirs = await create([other.id]);
    const told = () => world.logs().filter((line) => line.includes('test.refreshed'));
    const here = { vault_id: one.id };
    await vaults().credentials.update(id, { ...here, auth: { type, secret_value: 'canary-next' } });
    await vaults().credentials.archive(id, here);
    await vaults().archive(one.id);
    await expect.poll(() => told().filter((line) => line.includes(mine.id)).length).toBe(3);
    expect(told().filter((line) => line.includes(theirs.id))).toEqual([]);
  });

  it('of a self-hosted environment is refused variables, and given tokens of MCP servers', async () => {
    const vault = await vaults().create({ display_name: 'Both' });
    const auth = { type: 'static_bearer' as const, mcp_server_url: SERVER, token: 'canary-bearer-token' };
    await vaults().credentials.create(vault.id, { auth });
    const agent = await client.beta.agents.create({ name: 'Clerk', model: 'some-model' });
    const config = { type: 'self_hosted' as const };
    const environment = await client.beta.environments.create({ name: 'Ours', config });
    const begin = () =>
      client.beta.sessions.create({ agent: agent.id, environment_id: environment.id, vault_ids: [vault.id] });
    expect(await begin()).toMatchObject({ vault_ids: [vault.id] });
    const variable = {
      type: 'environment_variable' as const,
      secret_name: 'KEY',
      secret_value: 'canary-value',
      networking: { type: 'unrestricted' as const },
    };
    await vaults().credentials.create(vault.id, { auth: variable });
    await expect(begin()).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(/vault_ids\.0: .*self_hosted/),
    });
  });
});
