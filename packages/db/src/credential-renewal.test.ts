import type { CredentialAuth } from '@capstan/schema/credential-auth';
import { newId } from '@capstan/shared/ids';
import { createLogger } from '@capstan/shared/logger';
import type { Exchange, RefreshGrant } from '@capstan/shared/oauth-refresh';
import { createSealer } from '@capstan/shared/seal';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RenewalDeps, renewCredential } from './credential-renewal.ts';
import { type CredentialRow, openSecrets, sealSecrets } from './credential-secrets.ts';
import { type Stores, stores } from './stores.ts';
import { outbox } from './tables/outbox.ts';
import { vaultCredentials } from './tables/vaults.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

const TENANT = 'tnt_renewal';
const START = Date.parse('2026-11-21T07:00:00Z');
const sealer = createSealer(['a root secret for tests, 32 characters'], 'test');
const ISSUED = { accessToken: 'access-2', refreshToken: 'refresh-2', expiresInSeconds: 60 };
const REFUSED: Exchange = {
  status: 'failed',
  response: { status_code: 400, content_type: 'application/json', body: '{}', body_truncated: false },
};

let database: TestDatabase;
let ours: Stores;
let now: number;
let grants: RefreshGrant[];
let lines: string[];
let row: CredentialRow;
let exchange: (grant: RefreshGrant) => Promise<Exchange>;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, TENANT);
  const endpoint = {
    id: 'whep_1',
    url: 'https://example.com/',
    name: '',
    description: '',
    secret: 's',
    now: 0,
  };
  await ours.webhooks.create({ ...endpoint, enabledEvents: ['*'] });
});
afterAll(() => database.close());
beforeEach(async () => {
  [now, grants, lines] = [START, [], []];
  exchange = async () => ({ status: 'succeeded', tokens: ISSUED });
  row = await put('client_secret_post', {
    value: 'access-1',
    refreshToken: 'refresh-1',
    clientSecret: 'secret',
  });
  await database.db.delete(outbox);
});

const deps = (): RenewalDeps => ({
  scope: { db: database.db, tenantId: TENANT },
  sealer,
  exchange: async (grant) => {
    grants.push(grant);
    return exchange(grant);
  },
  pause: async (ms) => {
    now += ms;
    await new Promise((resolve) => setImmediate(resolve));
  },
  clock: { now: () => now },
  logger: createLogger((line) => lines.push(line)),
});
const renew = (stale: CredentialRow = row, insist = false) => renewCredential(deps(), { stale, insist });
const read = async () => ours.credentials.row(row.vaultId, row.id);
const secretsOf = async (kept: CredentialRow) => openSecrets(sealer, kept);

async function put(
  type: 'none' | 'client_secret_post',
  secrets: Parameters<typeof sealSecrets>[2],
): Promise<CredentialRow> {
  const vault = await ours.vaults.create({ displayName: 'A vault', metadata: {}, now });
  const id = newId('credential', now);
  const auth: CredentialAuth = {
    type: 'mcp_oauth',
    mcp_server_url: 'https://mcp.example.com',
    expires_at: null,
    refresh: {
      client_id: 'client',
      token_endpoint: 'https://auth.example.com/token',
      token_endpoint_auth: { type },
      resource: null,
      scope: 'read',
    },
  };
  const sealed = await sealSecrets(sealer, { tenantId: TENANT, id }, secrets);
  const shown = { id, vaultId: vault.id, displayName: null, metadata: {}, auth };
  await ours.credentials.create({ ...shown, secrets: sealed, now });
  return ours.credentials.row(vault.id, id);
}

async function told(): Promise<string[]> {
  return (await database.db.select().from(outbox)).map(({ type }) => type);
}

describe('a stale token', () => {
  it('is replaced, sealed, with what was issued beside it', async () => {
    const renewal = await renew();
    expect(renewal.status).toBe('succeeded');
    const kept = await read();
    expect(renewal).toEqual({ status: 'succeeded', row: kept });
    expect(await secretsOf(kept)).toEqual({
      value: 'access-2',
      refreshToken: 'refresh-2',
      clientSecret: 'secret',
    });
    expect(kept.auth).toMatchObject({ expires_at: new Date(START + 60_000).toISOString() });
    expect(kept).toMatchObject({ version: 2, renewingUntil: null, refusedAt: null });
    expect(kept.secrets).not.toMatch(/access|refresh|secret/);
    expect(grants).toEqual([
      {
        tokenEndpoint: 'https://auth.example.com/token',
        clientId: 'client',
        refreshToken: 'refresh-1',
        authentication: { type: 'client_secret_post', clientSecret: 'secret' },
        resource: null,
        scope: 'read',
      },
    ]);
    expect(lines.join('\n')).toContain('credential.renewed');
    expect(lines.join('\n')).not.toMatch(/access-|refresh-|"secret"/);
  });

  it('is replaced once, however many ask at the same time', async () => {
    const renewals = await Promise.all([...Array(6)].map(() => renew()));
    expect(renewals.map(({ status }) => status)).toEqual(Array(6).fill('succeeded'));
    expect(grants).toHaveLength(1);
    expect((await read()).version).toBe(2);
  });

  it('is replaced by somebody else when who began has died', async () => {
    await database.db
      .update(vaultCredentials)
      .set({ renewingUntil: START + 5_000 })
      .where(eq(vaultCredentials.id, row.id));
    expect((await renew()).status).toBe('succeeded');
    expect(now).toBeGreaterThan(START + 5_000);
    expect(grants).toHaveLength(1);
  });

  it('is left alone where there is another already', async () => {
    await renew();
    expect(await renew(row)).toMatchObject({ status: 'succeeded', row: { version: 2 } });
    expect(grants).toHaveLength(1);
  });

  it('does not replace what its owner gave meanwhile', async () => {
    exchange = async () => {
      const secrets = await sealSecrets(sealer, row, { value: 'by-hand' });
      await ours.credentials.update(
        row,
        { displayName: null, metadata: {}, auth: { shown: row.auth, secrets } },
        now,
      );
      return { status: 'succeeded', tokens: ISSUED };
    };
    const renewal = await renew();
    expect(renewal).toMatchObject({ status: 'succeeded', row: { version: 2 } });
    expect(await secretsOf(await read())).toEqual({ value: 'by-hand' });
  });

  it('comes to nothing when the credential is archived meanwhile', async () => {
    exchange = async () => {
      await ours.credentials.archive(row.vaultId, row.id, now);
      return { status: 'succeeded', tokens: ISSUED };
    };
    expect(await renew()).toEqual({ status: 'gone' });
    expect((await read()).secrets).toBeNull();
    expect(await renew()).toEqual({ status: 'gone' });
  });

  it('stays where there is no refresh token', async () => {
    row = await put('none', { value: 'access-1' });
    expect(await renew()).toEqual({ status: 'no_refresh_token' });
    expect(grants).toEqual([]);
    expect((await read()).renewingUntil).toBeNull();
  });
});

describe('a renewal that fails', () => {
  it('is told once, and not asked for again for a minute unless somebody insists', async () => {
    exchange = async () => REFUSED;
    expect(await renew()).toEqual(REFUSED);
    expect(await renew()).toEqual({ status: 'failed', response: null });
    expect(grants).toHaveLength(1);
    expect(await renew(row, true)).toEqual(REFUSED);
    now += 61_000;
    expect(await renew()).toEqual(REFUSED);
    expect(grants).toHaveLength(3);
    expect(await told()).toEqual(['vault_credential.refresh_failed']);
    expect((await read()).version).toBe(1);
    exchange = async () => ({ status: 'succeeded', tokens: ISSUED });
    expect((await renew(row, true)).status).toBe('succeeded');
    exchange = async () => REFUSED;
    await renew(await read());
    expect(await told()).toHaveLength(2);
  });

  it('for want of an answer is told to nobody, and may be tried at once', async () => {
    exchange = async () => ({ status: 'connect_error', reason: 'unreachable' });
    expect(await renew()).toEqual({ status: 'connect_error' });
    expect(await renew()).toEqual({ status: 'connect_error' });
    expect(grants).toHaveLength(2);
    expect(await told()).toEqual([]);
  });

  it('for want of the root secret leaves the credential as it is', async () => {
    const other = createSealer(['another root secret for tests, 32 characters'], 'test');
    const renewal = await renewCredential({ ...deps(), sealer: other }, { stale: row });
    expect(renewal).toEqual({ status: 'connect_error' });
    expect(await read()).toEqual(row);
  });
});
