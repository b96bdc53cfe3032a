import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTalker, type Talker } from './testing/talker.ts';
import { openWorld, type World } from './testing/world.ts';

type Create = Anthropic.Beta.DreamCreateParams;

let talker: Talker;
let world: World;
let client: Anthropic;
let stranger: Anthropic;
let sessionIds: string[];

beforeAll(async () => {
  talker = await openTalker();
  world = await openWorld({ modelUrl: talker.url });
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
  const agent = await client.beta.agents.create({ name: 'Talker', model: 'some-model' });
  const environment = await client.beta.environments.create({ name: 'Cloud' });
  const begin = () => client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  sessionIds = [(await begin()).id, (await begin()).id];
});
afterAll(async () => {
  talker.letGo();
  await world.close();
  talker.close();
});

const store = async (name: string, texts: Record<string, string> = {}) => {
  const { id } = await client.beta.memoryStores.create({ name });
  for (const [path, content] of Object.entries(texts))
    await client.beta.memoryStores.memories.create(id, { path, content });
  return id;
};
const wanted = (memory_store_id: string, over: Partial<Create> = {}): Create => ({
  inputs: [
    { type: 'memory_store', memory_store_id },
    { type: 'sessions', session_ids: sessionIds.toReversed() },
  ],
  model: 'some-model',
  ...over,
});
const textsOf = async (id: string) => {
  const { data } = await client.beta.memoryStores.memories.list(id, { view: 'full' });
  return data.map((memory) => (memory.type === 'memory' ? [memory.path, memory.content] : []));
};
const dreams = () => client.beta.dreams;
const until = (id: string, status: string) =>
  expect.poll(async () => (await dreams().retrieve(id)).status, { timeout: 20_000 }).toBe(status);
const archived = (id: string | null) =>
  expect
    .poll(async () => (await client.beta.sessions.retrieve(id ?? '')).archived_at, { timeout: 20_000 })
    .not.toBeNull();

describe('a dream', () => {
  it('begins with a copy of the memory store, and is completed by a session that is archived then', async () => {
    const id = await store('Notes', { '/a.md': 'one', '/deep/b.md': 'two' });
    const made = await dreams().create(wanted(id, { instructions: 'Be brief: say 3' }));
    expect(made).toEqual({
      id: expect.stringMatching(/^drm_/),
      type: 'dream',
      status: 'pending',
      inputs: [
        { type: 'memory_store', memory_store_id: id },
        { type: 'sessions', session_ids: sessionIds.toSorted() },
      ],
      outputs: [],
      model: { id: 'some-model' },
      instructions: 'Be brief: say 3',
      output_behavior: { type: 'create_new' },
      session_id: null,
      usage: {
        input_tokens: 0,
        output_tokens: 0,
        cache_read_input_tokens: 0,
        cache_creation_input_tokens: 0,
      },
      error: null,
      created_at: expect.stringMatching(/Z$/),
      ended_at: null,
      archived_at: null,
    });
    await until(made.id, 'completed');
    const ended = await dreams().retrieve(made.id);
    expect(ended).toMatchObject({ error: null, ended_at: expect.stringMatching(/Z$/) });
    const output = ended.outputs[0]?.memory_store_id ?? '';
    expect(output).not.toBe(id);
    expect(await client.beta.memoryStores.retrieve(output)).toMatchObject({ name: 'Dream of Notes' });
    expect(await textsOf(output)).toEqual(await textsOf(id));
    await archived(ended.session_id);
    const { resources } = await client.beta.sessions.retrieve(ended.session_id ?? '');
    expect(
      resources.map((one) => (one.type === 'memory_store' ? one.memory_store_id : one.mount_path)),
    ).toEqual([
      ...sessionIds.toSorted().map((session) => `/mnt/session/uploads/transcripts/${session}.md`),
      output,
    ]);
  });

  it('writes to its input when it is told to, one dream at a time', async () => {
    const id = await store('In place', { '/a.md': 'one' });
    talker.holdAfter(1);
    const output_behavior = { type: 'update_existing' as const, memory_store_id: id };
    const first = await dreams().create(wanted(id, { output_behavior }));
    await until(first.id, 'running');
    expect((await dreams().retrieve(first.id)).outputs).toEqual([
      { type: 'memory_store', memory_store_id: id },
    ]);
    const refused = dreams().create(wanted(id, { output_behavior }));
    await expect(refused).rejects.toMatchObject({
      status: 409,
      type: 'conflict_error',
      message: expect.stringContaining(first.id),
    });
    await refused.catch((error: unknown) => {
      if (error instanceof Anthropic.APIError) expect(error.headers?.get('x-should-retry')).toBe('false');
    });
    await dreams().create(wanted(id));
    talker.letGo();
    await until(first.id, 'completed');
    await expect
      .poll(
        () =>
          dreams()
            .create(wanted(id, { output_behavior }))
            .then(({ status }) => status, String),
        {
          timeout: 20_000,
        },
      )
      .toBe('pending');
  });

  it('is canceled at once, and its session stopped', async () => {
    talker.holdAfter(1);
    const { id } = await dreams().create(wanted(await store('Long')));
    await expect.poll(async () => (await dreams().retrieve(id)).session_id).not.toBeNull();
    await expect(dreams().archive(id)).rejects.toMatchObject({ status: 400 });
    const canceled = await dreams().cancel(id);
    expect(canceled).toMatchObject({
      status: 'canceled',
      ended_at: expect.stringMatching(/Z$/),
      error: null,
    });
    expect(await dreams().cancel(id)).toMatchObject({ status: 'canceled', ended_at: canceled.ended_at });
    talker.letGo();
    await archived(canceled.session_id);
    const kept = await dreams().archive(id);
    expect(await dreams().archive(id)).toMatchObject({ archived_at: kept.archived_at });
    expect((await dreams().list()).data.map((dream) => dream.id)).not.toContain(id);
    const all = await dreams().list({ include_archived: true, statuses: ['canceled'] });
    expect(all.data.map((dream) => dream.id)).toContain(id);
  });

  it('belongs to its tenant, and reads only what is the tenant’s', async () => {
    const id = await store('Ours');
    const made = await dreams().create(wanted(id));
    await expect(stranger.beta.dreams.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.beta.dreams.cancel(made.id)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.beta.dreams.create(wanted(id))).rejects.toMatchObject({ status: 404 });
  });

  it.each<[(id: string) => Partial<Create>, number, RegExp]>([
    [() => ({ inputs: [] }), 400, /inputs: has to have exactly one entry of type memory_store/],
    [
      (id) => ({ inputs: [{ type: 'memory_store', memory_store_id: id }] }),
      400,
      /exactly one entry of type sessions/,
    ],
    [
      (id) => ({
        inputs: [
          { type: 'memory_store', memory_store_id: id },
          { type: 'sessions', session_ids: ['sesn_1', 'sesn_1'] },
        ],
      }),
      400,
      /inputs\.1\.session_ids: names a session twice/,
    ],
    [
      (id) => ({
        inputs: [
          { type: 'memory_store', memory_store_id: id },
          { type: 'sessions', session_ids: ['sesn_none'] },
        ],
      }),
      404,
      /inputs: no session sesn_none/,
    ],
    [() => ({ model: { id: 'some-model', speed: 'fast' } }), 400, /model.*standard/],
    [() => ({ instructions: '' }), 400, /instructions/],
    [() => ({ instructions: 'x'.repeat(4097) }), 400, /instructions/],
    [
      () => ({ output_behavior: { type: 'update_existing', memory_store_id: 'memstore_1' } }),
      400,
      /output_behavior\.memory_store_id/,
    ],
  ])('is refused when it is asked for wrongly (%#)', async (over, status, message) => {
    const id = await store('Refused');
    const refused = dreams().create(wanted(id, over(id)));
    await expect(refused).rejects.toMatchObject({ status, message: expect.stringMatching(message) });
  });
});
