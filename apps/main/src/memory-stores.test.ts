import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { receipts } from '@capstan/db/tables/receipts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;
let agent: string;
let environment_id: string;
let memory_store_id: string;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
  ({ id: agent } = await client.beta.agents.create({ name: 'Scribe', model: 'some-model' }));
  ({ id: environment_id } = await client.beta.environments.create({ name: 'Open' }));
});
afterAll(() => world.close());
beforeEach(async () => {
  ({ id: memory_store_id } = await client.beta.memoryStores.create({ name: 'User Preferences' }));
});

const stores = () => client.beta.memoryStores;
const create = (path: string, content = path, view?: 'basic' | 'full') =>
  stores().memories.create(memory_store_id, { path, content, ...(view && { view }) });
const refusal = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof APIError) return error;
  throw new TypeError('It was not refused.');
};

describe('memory stores', () => {
  it('are created, changed, listed, archived and deleted as the SDK does it', async () => {
    const made = await stores().create({
      name: 'Notes',
      description: 'of today',
      metadata: { user: 'u1', b: '2' },
    });
    expect(made).toEqual({
      id: expect.stringMatching(/^memstore_[0-9a-z]{24}$/),
      type: 'memory_store',
      name: 'Notes',
      description: 'of today',
      metadata: { user: 'u1', b: '2' },
      created_at: expect.any(String),
      updated_at: made.created_at,
      archived_at: null,
    });
    const plain = await stores().create({ name: 'Plain' });
    expect(plain).toMatchObject({ description: '', metadata: {} });
    const changed = await stores().update(made.id, {
      name: 'Notes 2',
      description: null,
      metadata: { b: null, c: '3' },
    });
    expect(changed).toMatchObject({ name: 'Notes 2', description: '', metadata: { user: 'u1', c: '3' } });
    expect(await stores().update(made.id, { name: null, metadata: null })).toEqual(changed);
    expect(await stores().retrieve(made.id)).toEqual(changed);
    const archived = await stores().archive(made.id);
    expect(archived.archived_at).not.toBeNull();
    expect(await stores().archive(made.id)).toEqual(archived);
    const ids = async (query: Anthropic.Beta.MemoryStoreListParams = {}) => {
      const found: string[] = [];
      for await (const { id } of stores().list({ limit: 1, ...query })) found.push(id);
      return found;
    };
    expect((await ids()).slice(0, 2)).toEqual([plain.id, memory_store_id]);
    expect((await ids({ include_archived: true })).slice(0, 2)).toEqual([plain.id, made.id]);
    expect(await ids({ 'created_at[gte]': plain.created_at })).toEqual([plain.id]);
    expect(await ids({ 'created_at[lte]': plain.created_at, 'created_at[gte]': made.created_at })).toEqual([
      plain.id,
    ]);
    expect(await stores().delete(plain.id)).toEqual({ id: plain.id, type: 'memory_store_deleted' });
    expect(await refusal(stores().retrieve(plain.id))).toMatchObject({
      status: 404,
      type: 'not_found_error',
    });
    expect(await refusal(stranger.beta.memoryStores.retrieve(made.id))).toMatchObject({ status: 404 });
  });

  it('are refused by the field that is wrong', async () => {
    const refused = async (params: Anthropic.Beta.MemoryStoreCreateParams, message: RegExp) =>
      expect(await refusal(stores().create(params))).toMatchObject({
        status: 400,
        apiMessage: expect.stringMatching(message),
      });
    await refused({ name: '' }, /^name: /);
    await refused({ name: 'a\nb' }, /^name: must not have control characters/);
    await refused({ name: 'x'.repeat(256) }, /^name: /);
    await refused({ name: 'a', description: 'x'.repeat(1_025) }, /^description: /);
    await refused({ name: 'a', metadata: { ['k'.repeat(65)]: 'v' } }, /^metadata/);
  });

  it('are made once for each key', async () => {
    const headers = { 'idempotency-key': 'a store' };
    const first = await stores().create({ name: 'Once' }, { headers });
    expect(await stores().create({ name: 'Once' }, { headers })).toEqual(first);
    const same = { path: '/once', content: 'text', view: 'full' as const };
    const memory = await stores().memories.create(first.id, same, { headers });
    expect(await stores().memories.create(first.id, same, { headers })).toEqual(memory);
  });
});

describe('memories', () => {
  it('are shown with their content on retrieval, and elsewhere when that is asked for', async () => {
    const made = await create('/a/b.md', 'text');
    expect(made).toEqual({
      id: expect.stringMatching(/^mem_[0-9a-z]{24}$/),
      type: 'memory',
      memory_store_id,
      memory_version_id: expect.stringMatching(/^memver_[0-9a-z]{24}$/),
      path: '/a/b.md',
      content: null,
      content_sha256: '982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1',
      content_size_bytes: 4,
      created_at: expect.any(String),
      updated_at: made.created_at,
    });
    const full = { ...made, content: 'text' };
    expect(await stores().memories.retrieve(made.id, { memory_store_id })).toEqual(full);
    expect(await stores().memories.retrieve(made.id, { memory_store_id, view: 'basic' })).toEqual(made);
    expect((await stores().memories.list(memory_store_id)).data).toEqual([made]);
    expect((await stores().memories.list(memory_store_id, { view: 'full' })).data).toEqual([full]);
    expect(await create('/c', '', 'full')).toMatchObject({ content: '', content_size_bytes: 0 });
    const updated = await stores().memories.update(made.id, {
      memory_store_id,
      content: 'more',
      view: 'full',
    });
    expect(updated).toMatchObject({ id: made.id, content: 'more' });
    expect(await stores().memories.update(made.id, { memory_store_id, path: null, content: null })).toEqual({
      ...updated,
      content: null,
    });
  });

  it('are listed level by level, on pages', async () => {
    for (let at = 0; at < 25; at++) await create(`/d${String(at).padStart(2, '0')}/x`, 'x');
    await create('/top', 'x');
    const full = await stores().memories.list(memory_store_id, { view: 'full', limit: 100 });
    expect(full.data).toHaveLength(20);
    const items = [];
    for await (const item of stores().memories.list(memory_store_id, { depth: 1, limit: 10 }))
      items.push(item);
    expect(items).toHaveLength(26);
    expect(items[0]).toEqual({ type: 'memory_prefix', path: '/d00/' });
    expect(items[25]).toMatchObject({ type: 'memory', path: '/top' });
    const below = await stores().memories.list(memory_store_id, { path_prefix: '/d07/' });
    expect(below.data).toMatchObject([{ path: '/d07/x' }]);
    for (const query of [
      { depth: 2 },
      { depth: -1 },
      { path_prefix: '/d07' },
      { path_prefix: 'd07/' },
      { limit: 101 },
    ])
      expect(await refusal(stores().memories.list(memory_store_id, query))).toMatchObject({ status: 400 });
  });

  it('conflict with what they overlap, in words that code can use, and are not tried again', async () => {
    const { id } = await create('/notes');
    const error = await refusal(create('/notes/todo.md'));
    expect(error).toMatchObject({ status: 409, type: 'memory_path_conflict_error' });
    expect(error.error).toMatchObject({ error: { conflicting_memory_id: id, conflicting_path: '/notes' } });
    expect(error.headers?.get('x-should-retry')).toBe('false');
    const precondition = { type: 'content_sha256' as const, content_sha256: '0'.repeat(64) };
    const update = (content: string) =>
      stores().memories.update(id, { memory_store_id, content, precondition });
    expect(await refusal(update('other'))).toMatchObject({
      status: 409,
      type: 'memory_precondition_failed_error',
    });
    expect(await update('/notes')).toMatchObject({ id });
    const expected = { memory_store_id, expected_content_sha256: '0'.repeat(64) };
    expect(await refusal(stores().memories.delete(id, expected))).toMatchObject({
      status: 409,
      type: 'memory_precondition_failed_error',
    });
    expect(await stores().memories.delete(id, { memory_store_id })).toEqual({ id, type: 'memory_deleted' });
  });

  it('are refused by what is wrong with their path or content', async () => {
    const refused = async (path: string, content: string, message: RegExp) =>
      expect(await refusal(create(path, content))).toMatchObject({
        status: 400,
        apiMessage: expect.stringMatching(message),
      });
    const bad = [
      '',
      'a',
      '/',
      '/a/',
      '//a',
      '/a//b',
      '/a/./b',
      '/../a',
      '/a\nb',
      '/a\u200bb',
      '/a\u2028b',
      '/a\u2029',
    ];
    for (const path of [...bad, '/e\u0301', '/\ud800', `/${'x'.repeat(1_024)}`, '/a'.repeat(21)])
      await refused(path, '', /^path: must /);
    await refused('/a', 'x'.repeat(102_401), /^content: must have at most 102400 bytes/);
    await refused('/a', `${'é'.repeat(51_200)}x`, /^content: /);
    await refused('/a', '\ud800', /^content: /);
    await create('/a'.repeat(20), '');
    await create(`/${'é'.repeat(511)}`, 'x'.repeat(102_400));
    const nothing = { path: '/x' } as Anthropic.Beta.MemoryStores.MemoryCreateParams;
    expect(await refusal(stores().memories.create(memory_store_id, nothing))).toMatchObject({ status: 400 });
  });
});

describe('versions of memories', () => {
  it('tell who changed what, and are redacted but for what is there', async () => {
    const made = await create('/a', 'one');
    await stores().memories.update(made.id, { memory_store_id, content: 'two', path: '/b' });
    const { data } = await stores().memoryVersions.list(memory_store_id, {
      memory_id: made.id,
      view: 'full',
    });
    expect(data).toMatchObject([
      { type: 'memory_version', operation: 'modified', path: '/b', content: 'two', redacted_at: null },
      { id: made.memory_version_id, operation: 'created', path: '/a', content: 'one', redacted_at: null },
    ]);
    const [latest, first] = data;
    if (latest === undefined || first === undefined) throw new TypeError('There are two.');
    expect(first.created_by).toEqual({ type: 'api_actor', api_key_id: expect.any(String) });
    expect((await stores().memoryVersions.list(memory_store_id, { session_id: 'sesn_1' })).data).toEqual([]);
    expect(await refusal(stores().memoryVersions.redact(latest.id, { memory_store_id }))).toMatchObject({
      status: 400,
    });
    const redacted = await stores().memoryVersions.redact(first.id, { memory_store_id });
    expect(redacted).toMatchObject({
      path: null,
      content: null,
      content_sha256: null,
      redacted_by: first.created_by,
    });
    expect(await stores().memoryVersions.retrieve(first.id, { memory_store_id })).toEqual(redacted);
    const shown = await stores().memoryVersions.retrieve(latest.id, { memory_store_id, view: 'basic' });
    expect(shown).toEqual({ ...latest, content: null });
  });
});

describe('a memory that is made with a key', () => {
  it('is answered again with its content, which is kept with no receipt', async () => {
    const body = { path: '/secret', content: 'to be redacted', view: 'full' as const };
    const again = () =>
      stores().memories.create(memory_store_id, body, { headers: { 'idempotency-key': 'one secret' } });
    const made = await again();
    expect(made.content).toBe('to be redacted');
    expect(await again()).toEqual(made);
    const all = await world.db.select().from(receipts);
    const kept = all.filter(({ resourceId }) => resourceId === made.id);
    expect(kept).toHaveLength(1);
    expect(JSON.stringify(kept)).not.toContain('to be redacted');
  });
});

describe('a session with memory stores', () => {
  type Params = NonNullable<Anthropic.Beta.Sessions.SessionCreateParams['resources']>;
  const begin = (resources: Params) => client.beta.sessions.create({ agent, environment_id, resources });

  it('has them as they were called at its creation, each at a place of its own', async () => {
    const { id: other } = await stores().create({ name: 'user preferences', description: 'what they like' });
    const { resources, id } = await begin([
      { type: 'memory_store', memory_store_id },
      { type: 'memory_store', memory_store_id: other, access: 'read_only', instructions: 'Look here first.' },
    ]);
    expect(resources).toEqual([
      {
        type: 'memory_store',
        memory_store_id,
        access: 'read_write',
        instructions: null,
        name: 'User Preferences',
        description: '',
        mount_path: '/mnt/memory/user-preferences',
      },
      {
        type: 'memory_store',
        memory_store_id: other,
        access: 'read_only',
        instructions: 'Look here first.',
        name: 'user preferences',
        description: 'what they like',
        mount_path: '/mnt/memory/user-preferences-2',
      },
    ]);
    await stores().update(other, { name: 'Renamed' });
    await stores().delete(memory_store_id);
    expect((await client.beta.sessions.retrieve(id)).resources).toEqual(resources);
    const listed = await client.beta.sessions.resources.list(id);
    expect(listed.data).toEqual(resources);
    expect((await client.beta.sessions.list()).data[0]?.resources).toEqual(resources);
  });

  it('is refused with those it cannot have', async () => {
    const refused = async (resources: Params, status: number, message: RegExp) =>
      expect(await refusal(begin(resources))).toMatchObject({
        status,
        apiMessage: expect.stringMatching(message),
      });
    const one = { type: 'memory_store' as const, memory_store_id };
    await refused(
      [{ ...one, memory_store_id: 'memstore_none' }],
      404,
      /^resources\.0\.memory_store_id: no memory store/,
    );
    const foreign = await stranger.beta.memoryStores.create({ name: 'Theirs' });
    await refused([one, { ...one, memory_store_id: foreign.id }], 404, /^resources\.1\.memory_store_id/);
    await refused([one, one], 400, /^resources\.1\.memory_store_id: .* given twice/);
    await refused([{ ...one, instructions: 'x'.repeat(4_097) }], 400, /^resources\.0\.instructions: /);
    await refused(
      Array.from({ length: 9 }, () => one),
      400,
      /at most 8 memory stores/,
    );
    await stores().archive(memory_store_id);
    await refused([one], 400, /^resources\.0\.memory_store_id: .* is archived/);
  });
});
