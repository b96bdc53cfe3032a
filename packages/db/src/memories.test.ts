import { MAX_MEMORIES } from '@capstan/schema/memories';
import type { Actor } from '@capstan/schema/memory-versions';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sweepMemories } from './memory-sweep.ts';
import { type Stores, stores } from './stores.ts';
import { memories, memoryStores, memoryVersions } from './tables/memories.ts';
import { outbox } from './tables/outbox.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';

let database: TestDatabase;
let own: Stores;
let strange: Stores;
let storeId: string;
let now = 1_000_000;

beforeAll(async () => {
  database = await openTestDatabase();
  own = stores(database.db, 'tnt_own');
  strange = stores(database.db, 'tnt_strange');
});
afterAll(() => database.close());
beforeEach(async () => {
  storeId = await newStore();
});

const DAY_MS = 86_400_000;
const KEY: Actor = { type: 'api_actor', api_key_id: 'key_1' };
const SESSION: Actor = { type: 'session_actor', session_id: 'sesn_1' };

const endpoint = { id: 'whep_1', url: 'https://example.com/', name: '', description: '', secret: 's', now };

async function newStore(): Promise<string> {
  const { id } = await own.memoryStores.create({ name: 'Notes', description: '', metadata: {}, now: ++now });
  return id;
}

const create = (path: string, content = path, more: { actor?: Actor; view?: 'full' } = {}) => {
  const { actor = KEY, view = 'basic' } = more;
  return own.memories.create({ storeId, path, content, actor, view, now: ++now });
};
const update = (
  id: string,
  change: { path?: string; content?: string; expectedSha256?: string },
  actor: Actor = KEY,
) => own.memories.update({ storeId, id }, { ...change, actor, view: 'full', now: ++now });
const remove = (id: string, expectedSha256?: string) =>
  own.memories.delete({ storeId, id }, { expectedSha256, actor: KEY, now: ++now });
const listed = async (filter: { prefix?: string; depth?: number; limit?: number } = {}) => {
  const found: string[] = [];
  let page: string | undefined;
  do {
    const { data, next_page } = await own.memories.list({
      storeId,
      view: 'basic',
      depth: 0,
      page,
      ...filter,
    });
    found.push(...data.map(({ path }) => path));
    expect(data.length).toBeLessThanOrEqual(filter.limit ?? 20);
    page = next_page ?? undefined;
  } while (page !== undefined);
  return found;
};
const versions = async (filter: object = {}) =>
  (await own.memoryVersions.list({ storeId, view: 'full', created: {}, ...filter })).data;

describe('a memory', () => {
  it('is kept to the byte, and shown with its content where that is asked for', async () => {
    const content = '\ufeffA\u0000b\r\n\u{1f600} e\u0301';
    const made = await create('/notes/a.md', content, { view: 'full' });
    expect(made).toMatchObject({ type: 'memory', path: '/notes/a.md', content, content_size_bytes: 16 });
    const { id } = made;
    expect(await own.memories.retrieve({ storeId, id }, 'full')).toEqual(made);
    expect(await own.memories.retrieve({ storeId, id }, 'basic')).toEqual({ ...made, content: null });
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(content));
    expect(made.content_sha256).toBe(Buffer.from(digest).toString('hex'));
  });

  it('is its tenant’s and its store’s alone', async () => {
    const { id } = await create('/a');
    const other = await newStore();
    for (const [store, key] of [
      [strange, { storeId, id }],
      [own, { storeId: other, id }],
    ] as const) {
      const refused = { code: 'not_found' };
      await expect(store.memories.retrieve(key, 'full')).rejects.toMatchObject(refused);
      const change = { content: 'x', actor: KEY, view: 'full' as const, now };
      await expect(store.memories.update(key, change)).rejects.toMatchObject(refused);
      await expect(store.memories.delete(key, { actor: KEY, now })).rejects.toMatchObject(refused);
    }
    const foreign = { storeId, path: '/b', content: '', actor: KEY, view: 'basic' as const, now };
    await expect(strange.memories.create(foreign)).rejects.toMatchObject({ code: 'not_found' });
    await expect(strange.memories.list({ storeId, view: 'basic', depth: 0 })).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await strange.memories.all(storeId)).toBeNull();
    expect(await strange.memories.contents(storeId, [id])).toEqual([]);
  });

  it('has a path to itself: not a used one, nor one above or below another', async () => {
    const a = await create('/a/b/c');
    const conflict = (path: string, conflicting_path: string) =>
      expect(create(path)).rejects.toMatchObject({
        code: 'memory_path_conflict',
        members: { conflicting_memory_id: a.id, conflicting_path },
      });
    for (const path of ['/a/b/c', '/a/b', '/a', '/a/b/c/d', '/a/b/c/d/e']) await conflict(path, '/a/b/c');
    for (const path of ['/a/b/d', '/A/b/c', '/a/b/c2', '/a/b/c-d', '/a/b2', '/a/b/c.', '/a%/b'])
      await create(path);
    const b = await create('/z');
    await expect(update(b.id, { path: '/a/b' })).rejects.toMatchObject({ code: 'memory_path_conflict' });
    // A memory is not in its own way.
    expect(await update(b.id, { path: '/z/below/itself' })).toMatchObject({
      id: b.id,
      path: '/z/below/itself',
    });
  });

  it('is written once of writers that race for overlapping paths', async () => {
    const paths = ['/x', '/x/y', '/x/y/z', '/x', '/x/y/z'];
    const results = await Promise.allSettled(paths.map((path) => create(path)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await listed()).toHaveLength(1);
    expect(await versions()).toHaveLength(1);
  });

  it('changes only as it was expected to be, or when it is that already', async () => {
    const made = await create('/a', 'one');
    const expectedSha256 = made.content_sha256;
    const second = await update(made.id, { content: 'two', expectedSha256 });
    const failed = { code: 'memory_precondition_failed' };
    await expect(update(made.id, { content: 'three', expectedSha256 })).rejects.toMatchObject(failed);
    await expect(update(made.id, { path: '/b', expectedSha256 })).rejects.toMatchObject(failed);
    expect(await update(made.id, { content: 'two', expectedSha256 })).toEqual(second);
    expect(await update(made.id, { content: 'two', path: '/a', expectedSha256 })).toEqual(second);
    await expect(update(made.id, { content: 'two', path: '/b', expectedSha256 })).rejects.toMatchObject(
      failed,
    );
    await expect(remove(made.id, expectedSha256)).rejects.toMatchObject(failed);
    await remove(made.id, second.content_sha256);
    await expect(remove(made.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('has a version of each change and of nothing else, the newest first, with who made it', async () => {
    const made = await create('/a', 'one');
    await update(made.id, { content: 'one' });
    await update(made.id, {});
    const renamed = await update(made.id, { path: '/b' }, SESSION);
    expect(renamed).toMatchObject({ id: made.id, path: '/b', content: 'one' });
    await update(made.id, { content: 'two' });
    await remove(made.id);
    const all = await versions({ memoryId: made.id });
    expect(all.map(({ operation, path, content }) => [operation, path, content])).toEqual([
      ['deleted', '/b', null],
      ['modified', '/b', 'two'],
      ['modified', '/b', 'one'],
      ['created', '/a', 'one'],
    ]);
    expect(all.map(({ created_by }) => created_by)).toEqual([KEY, KEY, SESSION, KEY]);
    expect(all[0]).toMatchObject({ content_sha256: null, content_size_bytes: null });
    expect(all[3]?.id).toBe(made.memory_version_id);
    expect(all[2]?.id).toBe(renamed.memory_version_id);
  });

  it('has versions in order although the clock goes backwards', async () => {
    const { id } = await create('/a', '0');
    for (let at = 1; at <= 3; at++) {
      const change = { content: String(at), actor: KEY, view: 'basic' as const, now: 5 };
      await own.memories.update({ storeId, id }, change);
    }
    expect((await versions()).map(({ content }) => content)).toEqual(['3', '2', '1', '0']);
  });

  it('is refused when its store is full, and again welcome when it is not', async () => {
    const text = JSON.stringify(Array.from({ length: MAX_MEMORIES }, (_, index) => index));
    const { binding } = database;
    await binding
      .prepare(
        `INSERT INTO memories SELECT 'mem_' || ?1 || value, 'tnt_own', ?1, '/' || value, ?1 || value, '', 0, 0, 0 FROM json_each(?2)`,
      )
      .bind(storeId, text)
      .run();
    await expect(create('/one-more')).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('2000'),
    });
    await own.memories.delete({ storeId, id: `mem_${storeId}7` }, { actor: KEY, now });
    await create('/one-more');
  });
});

describe('a list of memories', () => {
  it('is by path, whole segments below a prefix, and one level of it with what lies deeper', async () => {
    const paths = ['/a', '/b-c', '/b/x/1', '/b/x/2', '/b/y', '/b0', '/é/1', '/é/2/3', '/😀'];
    for (const path of paths) await create(path);
    expect(await listed()).toEqual(paths);
    for (const limit of [1, 2, 3]) {
      expect(await listed({ limit })).toEqual(paths);
      expect(await listed({ depth: 1, limit })).toEqual(['/a', '/b-c', '/b/', '/b0', '/é/', '/😀']);
      expect(await listed({ prefix: '/b/', depth: 1, limit })).toEqual(['/b/x/', '/b/y']);
      expect(await listed({ prefix: '/é/', depth: 1, limit })).toEqual(['/é/1', '/é/2/']);
    }
    expect(await listed({ prefix: '/b/' })).toEqual(['/b/x/1', '/b/x/2', '/b/y']);
    expect(await listed({ prefix: '/', depth: 1 })).toHaveLength(6);
    expect(await listed({ prefix: '/b/y/' })).toEqual([]);
  });

  it('goes on where it was, whatever was deleted or added meanwhile, with paths of any length', async () => {
    const long = (name: string) => `/${name}${'😀'.repeat(250)}/${'"'.repeat(20)}`;
    const made = [];
    for (const name of ['a', 'b', 'c', 'd']) made.push(await create(long(name)));
    const query = { storeId, view: 'full' as const, depth: 0, limit: 2 };
    const first = await own.memories.list(query);
    await remove(made[1]?.id ?? '');
    await create('/a');
    const second = await own.memories.list({ ...query, page: first.next_page ?? '' });
    expect(second.data).toMatchObject([
      { path: long('c'), content: long('c') },
      { path: long('d'), content: long('d') },
    ]);
    expect(second.next_page).toBeNull();
    const elsewhere = { ...query, storeId: await newStore(), page: first.next_page ?? '' };
    await expect(own.memories.list(elsewhere)).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('versions', () => {
  it('are found by memory, writer, kind and time', async () => {
    const a = await create('/a', '1', { actor: SESSION });
    const from = new Date(now + 1).toISOString();
    const b = await create('/b', '1');
    await update(a.id, { content: '2' });
    const to = new Date(now).toISOString();
    await remove(b.id);
    const paths = async (filter: object) =>
      (await versions(filter)).map(({ operation, path }) => `${operation} ${path}`);
    expect(await paths({ memoryId: a.id })).toEqual(['modified /a', 'created /a']);
    expect(await paths({ sessionId: 'sesn_1' })).toEqual(['created /a']);
    expect(await paths({ apiKeyId: 'key_1', operation: 'created' })).toEqual(['created /b']);
    expect(await paths({ apiKeyId: 'key_1', sessionId: 'sesn_1' })).toEqual([]);
    expect(await paths({ serviceAccountId: 'key_1' })).toEqual([]);
    expect(await paths({ operation: 'deleted' })).toEqual(['deleted /b']);
    const created = { 'created_at[gte]': from, 'created_at[lte]': to };
    expect(await paths({ created })).toEqual(['modified /a', 'created /b']);
    const pages = await own.memoryVersions.list({ storeId, view: 'basic', created: {}, limit: 3 });
    expect(pages.data.map(({ content }) => content)).toEqual([null, null, null]);
    const rest = { storeId, view: 'full' as const, created: {}, limit: 3, page: pages.next_page ?? '' };
    expect((await own.memoryVersions.list(rest)).data).toHaveLength(1);
  });

  it('lose path and content for good when they are redacted; what a memory is now does not', async () => {
    const made = await create('/secret', 'secret');
    const key = { storeId, id: made.memory_version_id };
    await expect(own.memoryVersions.redact(key, KEY, now)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(made.id),
    });
    await update(made.id, { content: 'harmless' });
    const redacted = await own.memoryVersions.redact(key, KEY, 5_000_000);
    expect(redacted).toMatchObject({
      operation: 'created',
      path: null,
      content: null,
      content_sha256: null,
      content_size_bytes: null,
      redacted_at: new Date(5_000_000).toISOString(),
      redacted_by: KEY,
      created_by: KEY,
    });
    expect(await own.memoryVersions.redact(key, SESSION, 6_000_000)).toEqual(redacted);
    expect(await own.memoryVersions.retrieve(key, 'full')).toEqual(redacted);
    await expect(strange.memoryVersions.redact(key, KEY, now)).rejects.toMatchObject({ code: 'not_found' });
    await remove(made.id);
    const [deletion] = await versions({ operation: 'deleted' });
    const last = await own.memoryVersions.redact({ storeId, id: deletion?.id ?? '' }, KEY, now);
    expect(last).toMatchObject({ operation: 'deleted', path: null });
  });

  it('are kept for thirty days, and the recent ones as long as their memory', async () => {
    const { id } = await create('/a', '0');
    const first = now;
    for (let at = 1; at < 15; at++) await update(id, { content: String(at) });
    const gone = await create('/b');
    await remove(gone.id);
    const swept = (at: number) => sweepMemories(database.db, at);
    await swept(first + 30 * DAY_MS - 1);
    expect(await versions()).toHaveLength(17);
    await swept(first + 30 * DAY_MS);
    expect(await versions()).toHaveLength(16);
    await swept(now + 30 * DAY_MS + 1_000);
    expect((await versions()).map(({ content }) => content)).toEqual([
      '14',
      '13',
      '12',
      '11',
      '10',
      '9',
      '8',
      '7',
      '6',
      '5',
    ]);
    expect(await own.memories.retrieve({ storeId, id }, 'full')).toMatchObject({ content: '14' });
    await remove(id);
    await swept(now + 31 * DAY_MS);
    expect(await versions()).toEqual([]);
  });
});

describe('a memory store', () => {
  it('is not touched by its memories, nor by changes that change nothing', async () => {
    const before = await own.memoryStores.retrieve(storeId);
    await create('/a');
    expect(await own.memoryStores.retrieve(storeId)).toEqual(before);
    const same = { name: 'Notes', description: '', metadata: {} };
    expect(await own.memoryStores.update(storeId, same, now + 9)).toEqual(before);
    const changed = await own.memoryStores.update(storeId, { description: 'more' }, now + 9);
    expect(changed).toMatchObject({
      name: 'Notes',
      description: 'more',
      updated_at: new Date(now + 9).toISOString(),
    });
  });

  it('is told of once when it is made, archived and deleted, and not of what it holds', async () => {
    const heard = 'tnt_heard';
    const { memoryStores: mine, memories: texts, webhooks } = stores(database.db, heard);
    await webhooks.create({ ...endpoint, enabledEvents: ['*'] });
    const { id } = await mine.create({ name: 'Notes', description: '', metadata: {}, now: ++now });
    await texts.create({ storeId: id, path: '/a', content: '', actor: KEY, view: 'basic', now });
    await mine.update(id, { name: 'More' }, ++now);
    for (const _ of 'ab') await mine.archive(id, ++now);
    await mine.delete(id, ++now);
    await expect(mine.delete(id, ++now)).rejects.toMatchObject({ code: 'not_found' });
    const rows = await database.db.select().from(outbox).where(eq(outbox.tenantId, heard));
    expect(rows.map(({ type }) => type)).toEqual([
      'memory_store.created',
      'memory_store.archived',
      'memory_store.deleted',
    ]);
  });

  it('that is archived is read, deleted from and redacted, and not written', async () => {
    const a = await create('/a', 'one');
    await update(a.id, { content: 'two' });
    const archived = await own.memoryStores.archive(storeId, 7_000_000);
    expect(await own.memoryStores.archive(storeId, 8_000_000)).toEqual(archived);
    const refused = { code: 'invalid_request', message: expect.stringContaining('archived') };
    await expect(create('/b')).rejects.toMatchObject(refused);
    await expect(create('/a')).rejects.toMatchObject(refused);
    await expect(update(a.id, { content: 'two' })).rejects.toMatchObject(refused);
    await expect(own.memoryStores.update(storeId, { name: 'x' }, now)).rejects.toMatchObject(refused);
    expect(await listed()).toEqual(['/a']);
    await own.memoryVersions.redact({ storeId, id: a.memory_version_id }, KEY, now);
    await remove(a.id);
    expect(await listed()).toEqual([]);
    const list = (includeArchived: boolean) =>
      own.memoryStores.list({
        limit: 1,
        includeArchived,
        created: { 'created_at[gte]': archived.created_at },
      });
    expect((await list(false)).data).toEqual([]);
    expect((await list(true)).data).toEqual([archived]);
  });

  it('takes everything along when it is deleted, however much that is', async () => {
    const { id, memory_version_id } = await create('/a');
    const text = JSON.stringify(Array.from({ length: 450 }, (_, index) => index));
    await database.binding
      .prepare(
        `INSERT INTO memory_versions SELECT 'memver_' || ?1 || value, 'tnt_own', ?1, ?2, 'modified', '/a', 'x', 'y', 1, 0,
        'api_actor', 'key_1', NULL, NULL, NULL, NULL FROM json_each(?3)`,
      )
      .bind(storeId, id, text)
      .run();
    await expect(strange.memoryStores.delete(storeId, now)).rejects.toMatchObject({ code: 'not_found' });
    await own.memoryStores.delete(storeId, now);
    await expect(own.memoryStores.delete(storeId, now)).rejects.toMatchObject({ code: 'not_found' });
    await expect(listed()).rejects.toMatchObject({ code: 'not_found' });
    await expect(create('/b')).rejects.toMatchObject({ code: 'not_found' });
    const version = { storeId, id: memory_version_id };
    await expect(own.memoryVersions.retrieve(version, 'full')).rejects.toMatchObject({ code: 'not_found' });
    await expect(versions()).rejects.toMatchObject({ code: 'not_found' });
    for (const table of [memories, memoryVersions]) {
      const rows = await database.db.select({ storeId: table.storeId }).from(table);
      expect(rows.filter((row) => row.storeId === storeId)).toEqual([]);
    }
    const left = await database.db.select({ id: memoryStores.id }).from(memoryStores);
    expect(left.map((row) => row.id)).not.toContain(storeId);
  });
});
