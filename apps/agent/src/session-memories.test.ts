import { stores } from '@capstan/db/stores';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import type { SessionSpec } from '@capstan/session/spec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sessionMemories } from './session-memories.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const TENANT = 'tnt_own';

/** Of a session that has that store. */
function memoriesOf(memoryStoreId: string, tenantId = TENANT) {
  const attached: AttachedMemoryStore = {
    memoryStoreId,
    access: 'read_write',
    instructions: null,
    name: 'Notes',
    description: '',
    mountPath: '/mnt/memory/notes',
  };
  const spec: Pick<SessionSpec, 'tenantId' | 'sessionId' | 'memoryStores'> = {
    tenantId,
    sessionId: 'sesn_1',
    memoryStores: [attached],
  };
  return sessionMemories(database.db, spec);
}

describe('the memories of a session', () => {
  it('are written in its name, as long as they are what it thinks they are', async () => {
    const { memoryStores, memoryVersions } = stores(database.db, TENANT);
    const made = await memoryStores.create({ name: 'Notes', description: '', metadata: {}, now: Date.now() });
    const storeId = made.id;
    const memories = memoriesOf(storeId);
    expect(await memories.create(storeId, { path: '/a', content: 'one' })).toBe('done');
    expect(await memories.create(storeId, { path: '/a/b', content: 'two' })).toBe('raced');
    const first = await memories.state(storeId);
    const { id = '', sha256 = '' } = first?.memories.get('/a') ?? {};
    expect(await memories.texts(storeId, [id, 'mem_none'])).toEqual(new Map([['/a', 'one']]));
    const change = { content: 'three', path: '/c', expectedSha256: sha256 };
    expect(await memories.update(storeId, id, change)).toBe('done');
    expect(await memories.update(storeId, id, { content: 'four', expectedSha256: sha256 })).toBe('raced');
    expect(await memories.remove(storeId, { id, expectedSha256: sha256 })).toBe('raced');
    const next = await memories.state(storeId);
    expect((await memories.revisions()).get(storeId)).toBe(next?.revision);
    expect(next?.revision).not.toBe(first?.revision);
    await memoryStores.archive(storeId, Date.now());
    expect(await memories.create(storeId, { path: '/d', content: '' })).toEqual({
      refused: expect.stringContaining('archived'),
    });
    expect((await memories.state(storeId))?.archived).toBe(true);
    const { data } = await memoryVersions.list({ storeId, sessionId: 'sesn_1', view: 'basic', created: {} });
    expect(data.map(({ operation, path }) => `${operation} ${path}`)).toEqual(['modified /c', 'created /a']);
    await memoryStores.delete(storeId, Date.now());
    expect(await memories.state(storeId)).toBeNull();
    expect(await memories.revisions()).toEqual(new Map());
  });

  it('are none of another tenant’s', async () => {
    const { memoryStores } = stores(database.db, TENANT);
    const { id } = await memoryStores.create({
      name: 'Notes',
      description: '',
      metadata: {},
      now: Date.now(),
    });
    const strange = memoriesOf(id, 'tnt_strange');
    expect(await strange.state(id)).toBeNull();
    expect(await strange.create(id, { path: '/a', content: '' })).toBe('raced');
    expect(await memoriesOf(id).state(id)).toMatchObject({ memories: new Map() });
  });
});
