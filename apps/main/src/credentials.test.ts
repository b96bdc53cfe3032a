import Anthropic from '@anthropic-ai/sdk';
import { vaultCredentials } from '@capstan/db/tables/vaults';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

type Auth = Anthropic.Beta.Vaults.CredentialCreateParams['auth'];

let world: World;
let client: Anthropic;
let stranger: Anthropic;
let vault: string;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());
beforeEach(async () => {
  vault = (await client.beta.vaults.create({ display_name: 'A vault' })).id;
});

const credentials = () => client.beta.vaults.credentials;
const here = () => ({ vault_id: vault });
const SERVER = 'https://mcp.example.com/mcp';
const bearer = (mcp_server_url = SERVER): Auth => ({
  type: 'static_bearer',
  mcp_server_url,
  token: 'canary-bearer-token',
});
const variable = (over: object = {}): Auth => ({
  type: 'environment_variable',
  secret_name: 'STRIPE_KEY',
  secret_value: 'canary-variable-value',
  networking: { type: 'limited', allowed_hosts: ['api.stripe.com'] },
  ...over,
});
const refresh = {
  client_id: 'client-1',
  refresh_token: 'canary-refresh-token',
  token_endpoint: 'https://auth.example.com/token',
  token_endpoint_auth: { type: 'client_secret_basic' as const, client_secret: 'canary-client-secret' },
  scope: 'read',
};
const oauth = (over: object = {}): Auth => ({
  type: 'mcp_oauth',
  mcp_server_url: SERVER,
  access_token: 'canary-access-token',
  expires_at: '2199-01-01T00:00:00Z',
  refresh,
  ...over,
});
const refused = (auth: unknown) => {
  const body = { auth: auth as Auth };
  return expect(credentials().create(vault, body)).rejects;
};
/** All rows of the table, as one text. */
const rows = async () => JSON.stringify(await world.db.select().from(vaultCredentials));

describe('a credential', () => {
  it.each([
    [bearer(), { type: 'static_bearer', mcp_server_url: SERVER }],
    [
      oauth(),
      {
        type: 'mcp_oauth',
        mcp_server_url: SERVER,
        expires_at: '2199-01-01T00:00:00.000Z',
        refresh: {
          client_id: 'client-1',
          token_endpoint: 'https://auth.example.com/token',
          token_endpoint_auth: { type: 'client_secret_basic' },
          resource: null,
          scope: 'read',
        },
      },
    ],
    [
      oauth({ refresh: null, expires_at: null }),
      { type: 'mcp_oauth', mcp_server_url: SERVER, expires_at: null, refresh: null },
    ],
    [
      variable(),
      {
        type: 'environment_variable',
        secret_name: 'STRIPE_KEY',
        networking: { type: 'limited', allowed_hosts: ['api.stripe.com'] },
        injection_location: { header: true, body: true },
      },
    ],
    [
      variable({ networking: { type: 'unrestricted' }, injection_location: { body: true } }),
      {
        type: 'environment_variable',
        secret_name: 'STRIPE_KEY',
        networking: { type: 'unrestricted' },
        injection_location: { header: false, body: true },
      },
    ],
  ])('shows everything of itself but its secrets: %#', async (auth, shown) => {
    const made = await credentials().create(vault, { auth, display_name: 'Mine', metadata: { a: 'b' } });
    expect(made).toEqual({
      id: expect.stringMatching(/^vcrd_/),
      type: 'vault_credential',
      vault_id: vault,
      display_name: 'Mine',
      metadata: { a: 'b' },
      auth: shown,
      created_at: made.updated_at,
      updated_at: expect.stringMatching(/Z$/),
      archived_at: null,
    });
    expect(await credentials().retrieve(made.id, here())).toEqual(made);
    expect((await credentials().list(vault)).data).toEqual([made]);
    expect(await rows()).not.toContain('canary');
    expect(world.logs().join('\n')).not.toContain('canary');
  });

  it('belongs to its vault and its tenant', async () => {
    const { id } = await credentials().create(vault, { auth: bearer() });
    const other = await client.beta.vaults.create({ display_name: 'Another' });
    const missing = { status: 404 };
    await expect(credentials().retrieve(id, { vault_id: other.id })).rejects.toMatchObject(missing);
    const theirs = stranger.beta.vaults.credentials;
    await expect(theirs.retrieve(id, here())).rejects.toMatchObject(missing);
    await expect(theirs.update(id, { ...here(), display_name: 'x' })).rejects.toMatchObject(missing);
    await expect(theirs.archive(id, here())).rejects.toMatchObject(missing);
    await expect(theirs.delete(id, here())).rejects.toMatchObject(missing);
    await expect(theirs.list(vault)).rejects.toMatchObject(missing);
    await expect(theirs.create(vault, { auth: bearer('https://x.example') })).rejects.toMatchObject(missing);
    expect((await credentials().list(vault)).data).toHaveLength(1);
  });

  it.each([[bearer('HTTPS://MCP.example.com:443/mcp/')], [oauth({ mcp_server_url: `${SERVER}/` })]])(
    'is the only one of its vault for its server, however the url is written: %#',
    async (auth) => {
      const first = await credentials().create(vault, { auth: bearer() });
      const answer = await credentials()
        .create(vault, { auth })
        .catch((error: unknown) => error);
      expect(answer).toMatchObject({ status: 409, message: expect.stringMatching(/auth\.mcp_server_url/) });
      expect(answer instanceof Anthropic.APIError && answer.headers?.get('x-should-retry')).toBe('false');
      await credentials().archive(first.id, here());
      expect(await credentials().create(vault, { auth })).toMatchObject({ archived_at: null });
    },
  );

  it('is the only one of its vault with its name', async () => {
    await credentials().create(vault, { auth: variable() });
    await refused(variable()).toMatchObject({ status: 409, message: expect.stringMatching(/STRIPE_KEY/) });
    await credentials().create(vault, { auth: variable({ secret_name: 'stripe_key' }) });
  });

  it('is one of at most twenty that are not archived, also when many come at once', async () => {
    const urls = [...Array(24).keys()].map((n) => `https://${n}.example.com`);
    const made = await Promise.allSettled(
      urls.map((url) => credentials().create(vault, { auth: bearer(url) })),
    );
    const [kept, over] = ['fulfilled', 'rejected'].map((s) => made.filter(({ status }) => status === s));
    expect([kept?.length, over?.length]).toEqual([20, 4]);
    expect(over?.[0]).toMatchObject({
      reason: { status: 400, message: expect.stringMatching(/at most 20/) },
    });
    const [first] = (await credentials().list(vault)).data;
    await credentials().archive(first?.id ?? '', here());
    await credentials().create(vault, { auth: bearer('https://one-more.example.com') });
  });

  it.each([
    [{ type: 'password' }, /auth\.type/],
    [{ ...bearer(), token: '' }, /auth\.token/],
    [{ ...bearer(), token: 'canary with spaces' }, /auth\.token/],
    [bearer('ftp://x.example'), /auth\.mcp_server_url/],
    [bearer('https://user:canary@x.example'), /auth\.mcp_server_url/],
    [oauth({ expires_at: '2020-01-01T00:00:00Z' }), /auth\.expires_at: must be in the future/],
    [
      oauth({ refresh: { ...refresh, token_endpoint_auth: { type: 'client_secret_post' } } }),
      /client_secret/,
    ],
    [oauth({ refresh: { ...refresh, client_id: undefined } }), /auth\.refresh\.client_id/],
    [variable({ secret_name: '1X' }), /auth\.secret_name/],
    [variable({ secret_name: 'PATH' }), /auth\.secret_name/],
    [variable({ secret_name: 'HTTPS_PROXY' }), /auth\.secret_name/],
    [variable({ networking: undefined }), /auth\.networking/],
    [variable({ networking: { type: 'limited', allowed_hosts: Array(17).fill('a.example') } }), /16/],
    [variable({ injection_location: null }), /auth\.injection_location/],
    [variable({ injection_location: {} }), /at least one/],
    [variable({ injection_location: { header: false, body: false } }), /at least one/],
  ])('is refused with what is wrong, and never with its secret: %#', async (auth, message) => {
    const error = await credentials()
      .create(vault, { auth: auth as Auth })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 400, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain('canary');
  });

  it.each([
    'https://api.example.com',
    'api.example.com:443',
    'api.example.com/v1',
    '[2001:db8::1]',
    '2001:db8::1',
    '*.com',
    '*',
    'a.*.example.com',
    '1.2.3',
    '0x7f.1',
    'exa mple.com',
    '',
  ])('is refused for the host %j', async (host) => {
    await refused(variable({ networking: { type: 'limited', allowed_hosts: [host] } })).toMatchObject({
      status: 400,
      message: expect.stringMatching(/allowed_hosts\.0/),
    });
  });
});

describe('a credential that is changed', () => {
  it('keeps what is not given, and its secrets when they are null', async () => {
    const made = await credentials().create(vault, { auth: oauth(), display_name: 'Mine' });
    const before = await rows();
    const changed = await credentials().update(made.id, {
      ...here(),
      display_name: null,
      metadata: { a: 'b' },
    });
    expect(changed).toMatchObject({ display_name: null, metadata: { a: 'b' }, auth: made.auth });
    const nulls = { access_token: null, refresh: { refresh_token: null, scope: null } };
    const same = await credentials().update(made.id, { ...here(), auth: { type: 'mcp_oauth', ...nulls } });
    expect(same.auth).toEqual(made.auth);
    expect(before).not.toBe(await rows());
  });

  it('may lose its scope and its expiry, and have another client secret of either kind', async () => {
    const made = await credentials().create(vault, { auth: oauth() });
    const endpoint = { type: 'client_secret_post' as const, client_secret: 'canary-other' };
    const changed = await credentials().update(made.id, {
      ...here(),
      auth: {
        type: 'mcp_oauth',
        expires_at: null,
        refresh: { scope: '', token_endpoint_auth: endpoint },
      },
    });
    expect(changed.auth).toMatchObject({
      expires_at: null,
      refresh: { scope: null, token_endpoint_auth: { type: 'client_secret_basic' } },
    });
  });

  it('merges where it is injected, and replaces where it may go', async () => {
    const made = await credentials().create(vault, { auth: variable() });
    const update = (patch: object) =>
      credentials().update(made.id, { ...here(), auth: { type: 'environment_variable', ...patch } });
    expect((await update({ injection_location: { body: false } })).auth).toMatchObject({
      injection_location: { header: true, body: false },
    });
    await expect(update({ injection_location: { header: false } })).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(/at least one/),
    });
    const networking = { type: 'limited', allowed_hosts: ['*.Stripe.com'] };
    expect((await update({ networking })).auth).toMatchObject({
      networking: { type: 'limited', allowed_hosts: ['*.stripe.com'] },
      injection_location: { header: true, body: false },
    });
  });

  it.each([
    [bearer(), { type: 'environment_variable' }, /auth\.type/],
    [bearer(), { type: 'static_bearer', mcp_server_url: 'https://other.example' }, /auth\.mcp_server_url/],
    [variable(), { type: 'environment_variable', secret_name: 'OTHER' }, /auth\.secret_name/],
    [oauth(), { type: 'mcp_oauth', refresh: { client_id: 'x' } }, /auth\.refresh\.client_id/],
    [
      oauth(),
      { type: 'mcp_oauth', refresh: { token_endpoint: 'https://x.example' } },
      /auth\.refresh\.token_endpoint/,
    ],
    [oauth({ refresh: null }), { type: 'mcp_oauth', refresh: { refresh_token: 'x' } }, /auth\.refresh/],
    [oauth(), { type: 'mcp_oauth', expires_at: '2020-01-01T00:00:00Z' }, /auth\.expires_at/],
    [
      oauth({ refresh: { ...refresh, token_endpoint_auth: { type: 'none' } } }),
      {
        type: 'mcp_oauth',
        refresh: { token_endpoint_auth: { type: 'client_secret_post', client_secret: 'canary' } },
      },
      /token_endpoint_auth/,
    ],
  ])('does not become another one: %#', async (auth, patch, message) => {
    const { id } = await credentials().create(vault, { auth });
    const body = { ...here(), auth: patch as Anthropic.Beta.Vaults.CredentialUpdateParams['auth'] };
    await expect(credentials().update(id, body)).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(message),
    });
  });

  it('has what each of many that came at once gave it', async () => {
    const { id } = await credentials().create(vault, { auth: bearer() });
    const keys = ['a', 'b', 'c'];
    await Promise.all(keys.map((key) => credentials().update(id, { ...here(), metadata: { [key]: key } })));
    expect((await credentials().retrieve(id, here())).metadata).toEqual({ a: 'a', b: 'b', c: 'c' });
  });
});

describe('a credential that is over', () => {
  it('has no secrets left, is archived once, and changes no more', async () => {
    const { id } = await credentials().create(vault, { auth: bearer() });
    const archived = await credentials().archive(id, here());
    expect(archived.archived_at).not.toBeNull();
    expect(await credentials().archive(id, here())).toEqual(archived);
    const kept = await world.db.select().from(vaultCredentials);
    expect(kept.find((row) => row.id === id)).toMatchObject({ secrets: null });
    await expect(credentials().update(id, { ...here(), display_name: 'x' })).rejects.toMatchObject({
      status: 400,
    });
    expect((await credentials().list(vault)).data).toEqual([]);
    expect((await credentials().list(vault, { include_archived: true })).data).toEqual([archived]);
  });

  it('leaves no row when it is deleted', async () => {
    const { id } = await credentials().create(vault, { auth: bearer() });
    expect(await credentials().delete(id, here())).toEqual({ id, type: 'vault_credential_deleted' });
    await expect(credentials().delete(id, here())).rejects.toMatchObject({ status: 404 });
    expect(await rows()).not.toContain(id);
  });
});
