import { MAX_CREDENTIALS_PER_VAULT } from '@capstan/schema/credentials';
import { newId } from '@capstan/shared/ids';
import { and, asc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Stores, stores } from './stores.ts';
import { outbox } from './tables/outbox.ts';
import { vaultCredentials } from './tables/vaults.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

const TENANT = 'tnt_vaults';
const now = Date.parse('2026-11-21T07:00:00Z');

let database: TestDatabase;
let ours: Stores;
let theirs: Stores;
let vaultId: string;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, TENANT);
  theirs = stores(database.db, 'tnt_theirs');
  const endpoint = { id: 'whep_1', url: 'https://example.com/', name: '', description: '', secret: 's', now };
  await ours.webhooks.create({ ...endpoint, enabledEvents: ['*'] });
});
afterAll(() => database.close());
beforeEach(async () => {
  vaultId = (await ours.vaults.create({ displayName: 'One', metadata: {}, now })).id;
  await database.db.delete(outbox);
});

let made = 0;
const put = (auth: Parameters<Stores['credentials']['create']>[0]['auth'], into = vaultId) => {
  made += 1;
  const plain = { vaultId: into, displayName: null, metadata: {}, secrets: `sealed-${made}`, now };
  return ours.credentials.create({ id: newId('credential', now + made), auth, ...plain });
};
const bearer = (url: string) => ({ type: 'static_bearer' as const, mcp_server_url: url });
const variable = (secret_name: string) => ({
  type: 'environment_variable' as const,
  secret_name,
  networking: { type: 'unrestricted' as const },
  injection_location: { header: true, body: true },
});

async function told(): Promise<unknown[]> {
  const ours = eq(outbox.tenantId, TENANT);
  const rows = await database.db
    .select()
    .from(outbox)
    .where(ours)
    .orderBy(asc(outbox.type), asc(outbox.subject));
  return rows.map(({ type, subject }) => [type, subject]);
}

describe('what vaults tell of', () => {
  it('is each beginning and each end, once', async () => {
    const { id } = await put(bearer('https://a.example'));
    const ofCredential = { id, vault_id: vaultId };
    expect(await told()).toEqual([['vault_credential.created', ofCredential]]);
    await expect(put(bearer('https://a.example/'))).rejects.toMatchObject({ code: 'conflict' });
    for (const _ of [1, 2]) await ours.credentials.archive(vaultId, id, now + 1);
    await ours.credentials.delete(vaultId, id, now + 2);
    await expect(ours.credentials.delete(vaultId, id, now + 3)).rejects.toMatchObject({ code: 'not_found' });
    await ours.vaults.update(vaultId, { displayName: 'Two' }, now + 1);
    expect(await told()).toEqual([
      ['vault_credential.archived', ofCredential],
      ['vault_credential.created', ofCredential],
      ['vault_credential.deleted', ofCredential],
    ]);
  });

  it('includes the credentials that end with their vault', async () => {
    const first = await put(bearer('https://a.example'));
    const second = await put(bearer('https://b.example'));
    await ours.credentials.archive(vaultId, first.id, now + 1);
    await database.db.delete(outbox);
    for (const _ of [1, 2]) await ours.vaults.archive(vaultId, now + 2);
    await expect(theirs.vaults.delete(vaultId, now + 3)).rejects.toMatchObject({ code: 'not_found' });
    const ofSecond = { id: second.id, vault_id: vaultId };
    expect(await told()).toEqual([
      ['vault.archived', { id: vaultId }],
      ['vault_credential.archived', ofSecond],
    ]);
    await database.db.delete(outbox);
    await ours.vaults.delete(vaultId, now + 3);
    expect(await told()).toEqual([
      ['vault.deleted', { id: vaultId }],
      ['vault_credential.deleted', { id: first.id, vault_id: vaultId }],
      ['vault_credential.deleted', ofSecond],
    ]);
  });

  it('leaves no secret in a vault that is archived while credentials come', async () => {
    const coming = [...Array(8).keys()].map((n) => put(bearer(`https://${n}.example`)));
    await Promise.allSettled([...coming, ours.vaults.archive(vaultId, now + 1)]);
    await ours.vaults.archive(vaultId, now + 2);
    const rows = await database.db
      .select()
      .from(vaultCredentials)
      .where(and(eq(vaultCredentials.vaultId, vaultId)));
    expect(rows.filter(({ secrets, archivedAt }) => secrets !== null || archivedAt === null)).toEqual([]);
    const names = (await told()).map((entry) => Array.isArray(entry) && entry[0]);
    const count = (name: string) => names.filter((told) => told === name).length;
    expect(count('vault_credential.archived')).toBe(count('vault_credential.created'));
  });
});

describe('what a session finds in its vaults', () => {
  it('is of the first vault that has it, and of its own tenant', async () => {
    const other = (await ours.vaults.create({ displayName: 'Other', metadata: {}, now })).id;
    const here = await put(bearer('https://mcp.example.com/mcp'));
    const there = await put(bearer('https://MCP.example.com:443/mcp/'), other);
    const find = async (ids: string[], url = 'https://mcp.example.com/mcp') =>
      (await ours.credentials.forServer(ids, url))?.id;
    expect(await find([vaultId, other])).toBe(here.id);
    expect(await find([other, vaultId])).toBe(there.id);
    expect(await find([vaultId], 'https://mcp.example.com/')).toBeUndefined();
    expect(await find([vaultId], 'http://mcp.example.com/mcp')).toBeUndefined();
    expect(await find([])).toBeUndefined();
    expect(await theirs.credentials.forServer([vaultId], 'https://mcp.example.com/mcp')).toBeNull();
    await ours.credentials.archive(vaultId, here.id, now);
    expect(await find([vaultId, other])).toBe(there.id);
  });

  it('is one variable of each name', async () => {
    const other = (await ours.vaults.create({ displayName: 'Other', metadata: {}, now })).id;
    const [mine, both, yours] = [
      await put(variable('MINE')),
      await put(variable('BOTH')),
      await put(variable('YOURS'), other),
    ];
    await put(variable('BOTH'), other);
    await put(bearer('https://a.example'));
    const found = await ours.credentials.variables([vaultId, other]);
    expect(found.map(({ id }) => id).toSorted()).toEqual([mine.id, both.id, yours.id].toSorted());
    expect(await theirs.credentials.variables([vaultId])).toEqual([]);
  });

  it('is read by an index', async () => {
    const { results } = await database.binding
      .prepare(
        `EXPLAIN QUERY PLAN SELECT * FROM vault_credentials WHERE tenant_id = 't' AND vault_id IN ('a', 'b')
         AND archived_at IS NULL AND key = 'k'`,
      )
      .all();
    expect(JSON.stringify(results)).toMatch(/USING INDEX vault_credentials_key/);
  });
});

const unknown = { code: 'not_found' };

describe('a credential', () => {
  it('is of its vault and of its tenant alone', async () => {
    const { id } = await put(bearer('https://mcp.example.com/'));
    const other = (await ours.vaults.create({ displayName: 'Other', metadata: {}, now })).id;
    for (const [owner, vault] of [
      [ours, other],
      [theirs, vaultId],
    ] as const) {
      await expect(owner.credentials.retrieve(vault, id)).rejects.toMatchObject(unknown);
      await expect(owner.credentials.archive(vault, id, now)).rejects.toMatchObject(unknown);
      await expect(owner.credentials.delete(vault, id, now)).rejects.toMatchObject(unknown);
    }
    await expect(
      theirs.credentials.list(vaultId, { limit: 10, includeArchived: true }),
    ).rejects.toMatchObject(unknown);
    expect(await ours.credentials.retrieve(vaultId, id)).toMatchObject({ archived_at: null });
    expect((await ours.credentials.row(vaultId, id)).secrets).not.toBeNull();
  });

  it('has its key to itself until it is archived', async () => {
    const auth = bearer('https://mcp.example.com/');
    const { id } = await put(auth);
    await expect(put(auth)).rejects.toMatchObject({ code: 'conflict' });
    await ours.credentials.archive(vaultId, id, now);
    expect((await ours.credentials.row(vaultId, id)).secrets).toBeNull();
    const next = await put(auth);
    expect(await ours.credentials.forServer([vaultId], 'https://mcp.example.com/')).toMatchObject({
      id: next.id,
    });
  });

  it('is one of at most twenty that are not archived', async () => {
    const first = await put(variable('V0'));
    for (let count = 1; count < MAX_CREDENTIALS_PER_VAULT; count++) await put(variable(`V${count}`));
    await expect(put(variable('ONE_MORE'))).rejects.toMatchObject({ code: 'invalid_request' });
    await ours.credentials.archive(vaultId, first.id, now);
    await put(variable('ONE_MORE'));
  });
});

describe('a vault that is archived', () => {
  it('is changed no more, and no session may name it', async () => {
    await ours.vaults.require([vaultId], 'vault_ids');
    await ours.vaults.archive(vaultId, now);
    const refused = { code: 'invalid_request' };
    await expect(ours.vaults.update(vaultId, { displayName: 'x' }, now)).rejects.toMatchObject(refused);
    await expect(ours.vaults.require([vaultId], 'vault_ids')).rejects.toMatchObject({
      ...refused,
      reason: 'vault_archived',
    });
    await expect(theirs.vaults.require([vaultId], 'vault_ids')).rejects.toMatchObject(unknown);
    await expect(put(variable('V'))).rejects.toMatchObject(refused);
    const ids = async (includeArchived: boolean) =>
      (await ours.vaults.list({ limit: 100, includeArchived })).data.map(({ id }) => id);
    expect(await ids(true)).toContain(vaultId);
    expect(await ids(false)).not.toContain(vaultId);
  });
});
