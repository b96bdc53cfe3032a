import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { sessionResources } from '@capstan/db/tables/resources';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;
let agent: string;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
  ({ id: agent } = await client.beta.agents.create({ name: 'Scribe', model: 'some-model' }));
  ({ id: environment_id } = await client.beta.environments.create({ name: 'Open' }));
});
afterAll(() => world.close());

let environment_id: string;
type Params = NonNullable<Anthropic.Beta.Sessions.SessionCreateParams['resources']>;

const upload = async (name = 'data.csv', as = client) =>
  (await as.beta.files.upload({ file: await toFile(Buffer.from('a,b'), name) })).id;
const create = (resources: Params, headers = {}) =>
  client.beta.sessions.create({ agent, environment_id, resources }, { headers });
const REPOSITORY = { type: 'github_repository' as const, url: 'https://github.com/owner/name.git' };
const blobsLeft = async () => (await world.blobs.list({ prefix: 't/' })).objects.length;

describe('a session with resources', () => {
  it('has copies of its files and the repositories it names, in the order they were given', async () => {
    const file_id = await upload();
    const checkout = { type: 'branch' as const, name: 'main' };
    const made = await create([
      { type: 'file', file_id },
      { ...REPOSITORY, authorization_token: 'ghp_very_secret', checkout },
      { type: 'file', file_id, mount_path: '/workspace/data/in.csv' },
      { type: 'file', file_id, mount_path: '/data.csv' },
    ]);
    const times = { created_at: expect.any(String), updated_at: expect.any(String) };
    const id = expect.stringMatching(/^sesrsc_[0-9a-z]{24}$/);
    const copy = expect.stringMatching(/^file_/);
    const file = { id, type: 'file', file_id: copy, ...times };
    expect(made.resources).toEqual([
      { ...file, mount_path: `/mnt/session/uploads/${file_id}` },
      {
        id,
        type: 'github_repository',
        url: REPOSITORY.url,
        checkout,
        mount_path: '/workspace/name',
        ...times,
      },
      { ...file, mount_path: '/workspace/data/in.csv' },
      { ...file, mount_path: '/mnt/session/uploads/data.csv' },
    ]);
    expect(JSON.stringify(made)).not.toContain('ghp_very_secret');
    expect((await client.beta.sessions.retrieve(made.id)).resources).toEqual(made.resources);
    const listed = await client.beta.sessions.list();
    expect(listed.data.find((session) => session.id === made.id)?.resources).toEqual(made.resources);
    const ids = new Set(made.resources.map((resource) => ('file_id' in resource ? resource.file_id : '')));
    expect(ids.size).toBe(4);
    expect(ids).not.toContain(file_id);
    for (const own of ids) {
      if (own === '') continue;
      const metadata = await client.beta.files.retrieveMetadata(own);
      expect(metadata).toMatchObject({ filename: 'data.csv', scope: { type: 'session', id: made.id } });
    }
    // Copies are the session's: lists are for what people uploaded and agents made.
    const files = await client.beta.files.list({ limit: 1000 });
    expect(files.data.filter((listedFile) => ids.has(listedFile.id))).toEqual([]);
    expect((await client.beta.files.list({ scope_id: made.id })).data).toEqual([]);
  });

  it('keeps its copy when the upload is deleted, and loses it with itself', async () => {
    const before = await blobsLeft();
    const file_id = await upload();
    const made = await create([{ type: 'file', file_id }]);
    await client.beta.files.delete(file_id);
    expect(await blobsLeft()).toBe(before + 1);
    await client.beta.sessions.delete(made.id);
    expect(await blobsLeft()).toBe(before);
  });

  it('is made once for each key, resources and all', async () => {
    const file_id = await upload();
    const headers = { 'idempotency-key': 'with a file' };
    const first = await create([{ type: 'file', file_id }], headers);
    expect(await create([{ type: 'file', file_id }], headers)).toEqual(first);
  });

  it('is refused, and leaves nothing, when something of it cannot be had', async () => {
    const file_id = await upload();
    const foreign = await upload('x', stranger);
    const sessions = async () => (await client.beta.sessions.list({ limit: 100 })).data.length;
    const before = await sessions();
    const refused = async (resources: Params, status: number, message: RegExp) =>
      expect(create(resources)).rejects.toMatchObject({ status, apiMessage: expect.stringMatching(message) });
    await refused(
      [
        { type: 'file', file_id },
        { type: 'file', file_id: 'file_none' },
      ],
      404,
      /^resources\.1\.file_id/,
    );
    await refused([{ type: 'file', file_id: foreign }], 404, /^resources\.0\.file_id/);
    await refused(
      [
        { type: 'file', file_id },
        { type: 'file', file_id },
      ],
      400,
      /^resources\.1\.mount_path/,
    );
    await refused(
      [REPOSITORY, { type: 'file', file_id, mount_path: '/workspace/name/in.csv' }],
      400,
      /^resources\.1\.mount_path/,
    );
    await refused([{ type: 'file', file_id, mount_path: '/a/../b' }], 400, /^resources\.0\.mount_path/);
    await refused(
      [{ type: 'memory_store', memory_store_id: 'memstore_1' }],
      404,
      /^resources\.0\.memory_store_id/,
    );
    expect(await sessions()).toBe(before);
  });

  it('gives a fork copies of its own', async () => {
    const file_id = await upload();
    const made = await create([
      { type: 'file', file_id },
      { ...REPOSITORY, authorization_token: 'ghp_secret' },
    ]);
    const said = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hi' }] };
    const sent = await client.beta.sessions.events.send(made.id, { events: [said] });
    const body = JSON.stringify({ at: sent.data?.[0]?.id });
    const headers = { 'x-api-key': world.key, 'content-type': 'application/json' };
    const response = await world.fetch(`/v1/sessions/${made.id}/fork`, { method: 'POST', headers, body });
    const fork: typeof made = await response.json();
    expect(fork.resources).toMatchObject([{ type: 'file' }, { type: 'github_repository' }]);
    expect(fork.resources[0]).not.toMatchObject({ file_id: Reflect.get(made.resources[0] ?? {}, 'file_id') });
    await client.beta.sessions.delete(made.id);
    await client.beta.files.delete(file_id);
    const retrieved = await client.beta.sessions.retrieve(fork.id);
    expect(retrieved.resources).toEqual(fork.resources);
    const rows = await world.db.select().from(sessionResources);
    const row = rows.find(({ sessionId, type }) => sessionId === fork.id && type === 'github_repository');
    expect(row?.token).toMatch(/^s1\./);
  });
});

describe('the resources of a session', () => {
  it('are listed, retrieved, added and deleted', async () => {
    const session_id = (await create([{ type: 'file', file_id: await upload() }])).id;
    const file_id = await upload('more.csv');
    const added = await client.beta.sessions.resources.add(session_id, {
      type: 'file',
      file_id,
      mount_path: '/workspace/more.csv',
    });
    expect(added).toMatchObject({ type: 'file', mount_path: '/workspace/more.csv' });
    expect(await client.beta.sessions.resources.retrieve(added.id, { session_id })).toEqual(added);
    const all: string[] = [];
    for await (const resource of client.beta.sessions.resources.list(session_id, { limit: 1 }))
      all.push('id' in resource ? resource.id : '');
    expect(all).toHaveLength(2);
    expect(all[1]).toBe(added.id);
    const again = { type: 'file' as const, file_id, mount_path: '/workspace/more.csv/below' };
    await expect(client.beta.sessions.resources.add(session_id, again)).rejects.toMatchObject({
      status: 400,
      apiMessage: expect.stringMatching(/^mount_path: /),
    });
    const gone = { type: 'file' as const, file_id: 'file_none' };
    await expect(client.beta.sessions.resources.add(session_id, gone)).rejects.toMatchObject({ status: 404 });
    await expect(stranger.beta.sessions.resources.retrieve(added.id, { session_id })).rejects.toMatchObject({
      status: 404,
    });
    expect(await client.beta.sessions.resources.delete(added.id, { session_id })).toEqual({
      id: added.id,
      type: 'session_resource_deleted',
    });
    await expect(client.beta.sessions.resources.retrieve(added.id, { session_id })).rejects.toMatchObject({
      status: 404,
    });
    await expect(client.beta.files.retrieveMetadata(added.file_id)).rejects.toMatchObject({ status: 404 });
  });

  it('are 500 files at most, also when they are added at once', async () => {
    const file_id = await upload();
    const many = Array.from({ length: 499 }, (_, index) => ({
      type: 'file' as const,
      file_id,
      mount_path: `/many/${index}`,
    }));
    const made = await create(many);
    expect(made.resources).toHaveLength(499);
    const outcomes = await Promise.allSettled(
      ['/one', '/two', '/three'].map((mount_path) =>
        client.beta.sessions.resources.add(made.id, { type: 'file', file_id, mount_path }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await client.beta.sessions.resources.list(made.id)).data).toHaveLength(500);
  });

  it('take a new token and never show one', async () => {
    const made = await create([
      { ...REPOSITORY, authorization_token: 'ghp_first' },
      { type: 'file', file_id: await upload() },
    ]);
    const [repository, file] = made.resources;
    const idOf = (resource: typeof repository) => (resource && 'id' in resource ? resource.id : '');
    const tokens = async () => (await world.db.select().from(sessionResources)).map(({ token }) => token);
    const before = await tokens();
    expect(before.join()).not.toContain('ghp_first');
    const update = { session_id: made.id, authorization_token: 'ghp_second' };
    const updated = await client.beta.sessions.resources.update(idOf(repository), update);
    expect(updated).toEqual({ ...repository, updated_at: expect.any(String) });
    expect(await tokens()).not.toEqual(before);
    await expect(client.beta.sessions.resources.update(idOf(file), update)).rejects.toMatchObject({
      status: 400,
    });
    await expect(
      client.beta.sessions.resources.delete(idOf(repository), { session_id: made.id }),
    ).rejects.toMatchObject({ status: 400 });
    expect(world.logs().join()).not.toContain('ghp_');
  });

  it('stay as they are once the session is over', async () => {
    const made = await create([{ type: 'file', file_id: await upload() }]);
    await client.beta.sessions.archive(made.id);
    const file_id = await upload();
    await expect(
      client.beta.sessions.resources.add(made.id, { type: 'file', file_id }),
    ).rejects.toMatchObject({ status: 409 });
    expect((await client.beta.sessions.resources.list(made.id)).data).toHaveLength(1);
  });
});
