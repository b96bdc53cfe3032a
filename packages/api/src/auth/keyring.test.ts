import { ApiKeyStore } from '@capstan/db/api-keys';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from './digest.ts';
import { Keyring, REMEMBERED_MS } from './keyring.ts';

let database: TestDatabase;
let keys: ApiKeyStore;

beforeAll(async () => {
  database = await openTestDatabase();
  keys = new ApiKeyStore(database.db);
});
afterAll(() => database.close());

async function store(key: string) {
  return keys.create({
    tenantId: 'tnt_default',
    name: key,
    hash: await sha256Hex(key),
    lastFour: 'abcd',
    now: 1,
  });
}

async function keyring() {
  const clock = { at: 1_000_000, now: () => clock.at };
  const bootstrapKeyHash = await sha256Hex('bootstrap');
  const secrets = { root: 'root', bootstrapKeyHash };
  return { clock, ring: new Keyring({ db: database.db, clock, secrets }) };
}

describe('Keyring', () => {
  it('knows the bootstrap key and stored keys, and no others', async () => {
    const { ring } = await keyring();
    const made = await store('stored key');
    expect(await ring.whose('bootstrap')).toMatchObject({
      tenantId: 'tnt_default',
      apiKey: { lastFour: 'trap' },
    });
    expect(await ring.whose('stored key')).toMatchObject({ apiKey: { id: made.id, name: 'stored key' } });
    expect(await ring.whose('another')).toBeNull();
    expect(await ring.whose('')).toBeNull();
  });

  it('lets a revocation hold within seconds', async () => {
    const { ring, clock } = await keyring();
    const { id } = await store('short-lived');
    const principal = await ring.whose('short-lived');
    await keys.revoke(id, 2);
    clock.at += REMEMBERED_MS - 1;
    expect(await ring.whose('short-lived'), 'remembered').toEqual(principal);
    clock.at += 1;
    expect(await ring.whose('short-lived')).toBeNull();
    expect(REMEMBERED_MS).toBeLessThanOrEqual(10_000);
  });

  it('knows a key at once that did not exist a moment ago', async () => {
    const { ring } = await keyring();
    expect(await ring.whose('made later')).toBeNull();
    await store('made later');
    expect(await ring.whose('made later')).not.toBeNull();
  });

  it('says whether the key behind a sign-in still holds', async () => {
    const { ring, clock } = await keyring();
    const { id } = await store('signed in with');
    const principal = await ring.whose('signed in with');
    const bootstrap = await ring.whose('bootstrap');
    if (!principal || !bootstrap) throw new TypeError('the keys are known');
    expect(await ring.stillHolds(principal)).toBe(true);
    expect(await ring.stillHolds({ ...principal, tenantId: 'tnt_other' })).toBe(false);
    expect(await ring.stillHolds(bootstrap)).toBe(true);
    const replaced = { ...bootstrap, apiKey: { ...bootstrap.apiKey, id: 'key_bootstrap_000000000000' } };
    expect(await ring.stillHolds(replaced)).toBe(false);
    await keys.revoke(id, 2);
    clock.at += REMEMBERED_MS;
    expect(await ring.stillHolds(principal)).toBe(false);
  });
});
