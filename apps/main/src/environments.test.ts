import Anthropic from '@anthropic-ai/sdk';
import { WorkerKeys } from '@capstan/api/auth/worker-keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, ROOT_SECRET, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());

const environments = () => client.beta.environments;
const NO_PACKAGES = { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] };

describe('an environment', () => {
  it('keeps its packages and its hosts', async () => {
    const made = await environments().create({
      name: 'Data',
      config: {
        type: 'cloud',
        networking: {
          type: 'limited',
          allowed_hosts: ['API.Example.com', '*.example.org:8443', 'https://files.example.com/'],
          allow_package_managers: true,
        },
        packages: { apt: ['ffmpeg'], pip: ['pandas==2.2.0', 'uvicorn[standard]'] },
      },
    });
    expect(made.config).toEqual({
      type: 'cloud',
      networking: {
        type: 'limited',
        allowed_hosts: ['api.example.com', '*.example.org:8443', 'files.example.com'],
        allow_mcp_servers: false,
        allow_package_managers: true,
      },
      packages: { ...NO_PACKAGES, apt: ['ffmpeg'], pip: ['pandas==2.2.0', 'uvicorn[standard]'] },
    });
    expect(await environments().retrieve(made.id)).toEqual(made);
  });

  it('has a machine of its own, whose members change one by one, and which can be set back', async () => {
    type Machined = { id: string; config: object; capstan: { machine: object | null; image: object | null } };
    const post = (path: string, body: object) => client.post<Machined>(path, { body });
    const usual = { image: null, dockerfile: [], cpu: null, memory_mib: null, gpu: null };
    const machine = { image: 'debian:13', dockerfile: ['RUN echo hello'], cpu: 0.5, memory_mib: 512 };
    const made = await post('/v1/environments', { name: 'Machine', capstan: { machine } });
    expect(made.capstan).toMatchObject({ machine: { ...usual, ...machine }, image: { state: 'building' } });
    expect(made.config).toEqual({
      type: 'cloud',
      networking: { type: 'unrestricted' },
      packages: NO_PACKAGES,
    });
    const path = `/v1/environments/${made.id}`;
    const renamed = await post(path, {
      name: 'Renamed',
      config: { type: 'cloud', packages: { pip: ['x'] } },
    });
    expect(renamed.capstan.machine).toEqual({ ...usual, ...machine });
    const smaller = await post(path, {
      capstan: { machine: { image: null, dockerfile: null, gpu: 'T4:2' } },
    });
    expect(smaller.capstan.machine).toEqual({ ...usual, cpu: 0.5, memory_mib: 512, gpu: 'T4:2' });
    const bare = await post(path, { config: { type: 'cloud', packages: { pip: null } } });
    expect(bare.capstan.image).toBeNull();
    expect((await post(path, { capstan: { machine: null } })).capstan).toEqual({
      image: null,
      warm_sandboxes: 0,
      version: expect.any(Number),
      machine: usual,
    });
    expect((await client.get<Machined>(path)).capstan.machine).toEqual(usual);
  });

  it.each([
    [{ cpu: 0.3 }, /machine\.cpu.*steps of 0\.125/s],
    [{ dockerfile: ['FROM scratch'] }, /machine\.dockerfile\.0.*RUN, ENV or WORKDIR/s],
    [{ image: 'not an image' }, /machine\.image/],
    [{ gpu: 'T4;' }, /machine\.gpu/],
    [{ cpus: 2 }, /machine.*cpus/s],
  ])('refuses the machine %j', async (machine, message) => {
    const body = { name: 'Bad', capstan: { machine } };
    await expect(client.post('/v1/environments', { body })).rejects.toThrow(message);
  });

  it('that is self-hosted takes no machine', async () => {
    const body = { name: 'Own', config: { type: 'self_hosted' }, capstan: { machine: { cpu: 2 } } };
    await expect(client.post('/v1/environments', { body })).rejects.toThrow(/capstan\.machine/);
  });

  it.each([
    [{ packages: { pip: ['pandas; rm -rf /'] } }, /config\.packages\.pip\.0.*pandas; rm/s],
    [{ packages: { npm: ['--global'] } }, /config\.packages\.npm\.0/],
    [
      { networking: { type: 'limited', allowed_hosts: ['http://a b'] } },
      /allowed_hosts\.0.*expected a host/s,
    ],
    [{ networking: { type: 'limited', allowed_hosts: ['*'] } }, /allowed_hosts\.0/],
    [
      { networking: { type: 'limited' }, packages: { gem: ['rails'] } },
      /config\.packages\.gem.*allow_package_managers/s,
    ],
  ])('refuses %j', async (config, message) => {
    const headers = { 'x-api-key': world.key };
    const body = JSON.stringify({ name: 'Bad', config: { type: 'cloud', ...config } });
    const refused = await world.fetch('/v1/environments', { method: 'POST', headers, body });
    expect(refused.status).toBe(400);
    const { error }: { error: { message: string } } = await refused.json();
    expect(error.message).toMatch(message);
  });

  it('changes what is given and keeps the rest', async () => {
    const made = await environments().create({
      name: 'First',
      description: 'kept',
      metadata: { team: 'a', old: 'x', older: 'y' },
      config: {
        type: 'cloud',
        networking: { type: 'limited', allowed_hosts: ['a.example'], allow_package_managers: true },
        packages: { pip: ['pandas'], npm: ['express'] },
      },
    });
    const changed = await environments().update(made.id, {
      name: 'Second',
      metadata: { old: '', older: null, new: 'z' },
      config: {
        type: 'cloud',
        networking: { type: 'limited', allow_mcp_servers: true },
        packages: { npm: [] },
      },
    });
    expect(changed).toMatchObject({
      id: made.id,
      name: 'Second',
      description: 'kept',
      metadata: { team: 'a', new: 'z' },
      config: {
        networking: {
          allowed_hosts: ['a.example'],
          allow_mcp_servers: true,
          allow_package_managers: true,
        },
        packages: { ...NO_PACKAGES, pip: ['pandas'] },
      },
    });
    expect(Object.keys(changed.metadata)).toHaveLength(2);
    expect(Date.parse(changed.updated_at)).toBeGreaterThan(Date.parse(made.updated_at));
    expect(await environments().update(made.id, { description: null })).toMatchObject({ description: null });
  });

  it('has versions, one more for each change of what it is, and changes the one that is expected', async () => {
    interface Versioned {
      id: string;
      name: string;
      capstan: { version: number };
    }
    interface Versions {
      data: { version: number; name: string; config: unknown; capstan: { machine: unknown } }[];
      next_page: string | null;
    }
    const post = (path: string, body: object) => client.post<Versioned>(path, { body });
    const made = await post('/v1/environments', { name: 'One', capstan: { machine: { cpu: 2 } } });
    expect(made.capstan.version).toBe(1);
    const path = `/v1/environments/${made.id}`;
    const renamed = await post(path, { name: 'Two', capstan: { version: 1 } });
    expect(renamed.capstan.version).toBe(2);
    // What is as it was is no version, nor is what it keeps ready.
    expect((await post(path, { name: 'Two' })).capstan.version).toBe(2);
    expect((await post(path, { capstan: { warm_sandboxes: 1 } })).capstan.version).toBe(2);
    await expect(post(path, { name: 'Late', capstan: { version: 1 } })).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining('at version 2, not 1'),
    });
    expect((await post(path, { capstan: { machine: null } })).capstan.version).toBe(3);
    const list = (from: Anthropic, query = '') => from.get<Versions>(`${path}/versions${query}`);
    const { data } = await list(client);
    expect(data.map(({ version, name }) => [version, name])).toEqual([
      [3, 'Two'],
      [2, 'Two'],
      [1, 'One'],
    ]);
    expect(data.map(({ capstan }) => capstan.machine)).toMatchObject([{ cpu: null }, { cpu: 2 }, { cpu: 2 }]);
    const first = await list(client, '?limit=2');
    const rest = await list(client, `?limit=2&page=${first.next_page}`);
    expect([...first.data, ...rest.data]).toEqual(data);
    expect(rest.next_page).toBeNull();
    await expect(list(stranger)).rejects.toMatchObject({ status: 404 });
    await environments().delete(made.id);
    await expect(list(client)).rejects.toMatchObject({ status: 404 });
  });

  it('loses no change of those that race', async () => {
    const made = await environments().create({ name: 'Raced' });
    await Promise.all(
      ['a', 'b', 'c'].map((key) => environments().update(made.id, { metadata: { [key]: 'set' } })),
    );
    expect(await environments().retrieve(made.id)).toMatchObject({
      metadata: { a: 'set', b: 'set', c: 'set' },
    });
  });

  it('takes no session and no change once archived', async () => {
    const agent = (await client.beta.agents.create({ name: 'Scribe', model: 'some-model' })).id;
    const { id } = await environments().create({ name: 'Old' });
    const session = await client.beta.sessions.create({ agent, environment_id: id });
    expect((await environments().archive(id)).archived_at).not.toBeNull();
    await expect(environments().update(id, { name: 'New' })).rejects.toMatchObject({ status: 400 });
    await expect(client.beta.sessions.create({ agent, environment_id: id })).rejects.toMatchObject({
      status: 400,
    });
    expect(await client.beta.sessions.retrieve(session.id)).toMatchObject({ environment_id: id });
    for await (const listed of environments().list()) expect(listed.id).not.toBe(id);
  });

  it('is gone once deleted, while its sessions stay', async () => {
    const agent = (await client.beta.agents.create({ name: 'Scribe', model: 'some-model' })).id;
    const { id } = await environments().create({ name: 'Gone' });
    const session = await client.beta.sessions.create({ agent, environment_id: id });
    await expect(stranger.beta.environments.delete(id)).rejects.toMatchObject({ status: 404 });
    expect(await environments().delete(id)).toEqual({ id, type: 'environment_deleted' });
    await expect(environments().retrieve(id)).rejects.toMatchObject({ status: 404 });
    await expect(environments().delete(id)).rejects.toMatchObject({ status: 404 });
    expect(await client.beta.sessions.retrieve(session.id)).toMatchObject({ environment_id: id });
  });

  it('is made anew when the one for sessions without any is gone', async () => {
    const agent = (await client.beta.agents.create({ name: 'Scribe', model: 'some-model' })).id;
    const create = async () => {
      const headers = { 'x-api-key': world.key };
      const body = JSON.stringify({ agent });
      const answer = await world.fetch('/v1/sessions', { method: 'POST', headers, body });
      const { environment_id }: { environment_id: string } = await answer.json();
      return environment_id;
    };
    const first = await create();
    await environments().archive(first);
    const second = await create();
    expect(second).not.toBe(first);
    await environments().delete(second);
    expect(await create()).not.toBe(second);
  });
});

describe('the warm pool of an environment', () => {
  interface Warm {
    id: string;
    capstan: { warm_sandboxes: number };
  }
  const poolOf = (id: string, who = client) =>
    who.get<{ wanted: number; price: object }>(`/v1/environments/${id}/warm_pool`);
  const change = (id: string, body: object) => client.post<Warm>(`/v1/environments/${id}`, { body });
  const create = (capstan?: object | null) =>
    client.post<Warm>('/v1/environments', { body: { name: 'Warm', capstan } });
  const rung = (id: string) =>
    world.logs().filter((line) => line.includes('test.pool_rung') && line.includes(id)).length;

  it('is as large as was said, and says what it costs', async () => {
    const { id, capstan } = await create({ warm_sandboxes: 2 });
    expect(capstan.warm_sandboxes).toBe(2);
    expect(await poolOf(id)).toEqual({
      type: 'warm_pool',
      environment_id: id,
      wanted: 2,
      ready: 1,
      starting: 0,
      last_error: null,
      price: expect.objectContaining({ usd_per_sandbox_hour: '1', usd_per_hour: '2' }),
    });
    await expect(poolOf(id, stranger)).rejects.toMatchObject({ status: 404 });
  });

  it('is told of what is wanted of it, and of nothing else', async () => {
    const { id } = await create({ warm_sandboxes: 2 });
    const told = async (times: number) => {
      await expect.poll(() => rung(id)).toBe(times);
    };
    await told(1);
    expect((await change(id, { name: 'Renamed', capstan: { warm_sandboxes: null } })).capstan).toMatchObject({
      warm_sandboxes: 2,
    });
    await told(2);
    expect((await change(id, { capstan: { warm_sandboxes: 0 } })).capstan.warm_sandboxes).toBe(0);
    await told(3);
    await change(id, { name: 'Again', capstan: null });
    await change(id, { capstan: { warm_sandboxes: 1 } });
    await told(4);
    await environments().archive(id);
    await told(5);
    expect((await poolOf(id)).wanted).toBe(0);
    await environments().delete(id);
    await told(6);
    const plain = await create();
    await change(plain.id, { name: 'Plain' });
    await environments().delete(plain.id);
    expect(rung(plain.id)).toBe(0);
  });

  it.each([-1, 21, 1.5, '2'])('is not %j', async (warm_sandboxes) => {
    const refused = { status: 400, message: expect.stringContaining('capstan.warm_sandboxes') };
    await expect(create({ warm_sandboxes })).rejects.toMatchObject(refused);
    const { id } = await create();
    await expect(change(id, { capstan: { warm_sandboxes } })).rejects.toMatchObject(refused);
  });

  it('is refused beside a GPU, which is dear while it waits', async () => {
    const refused = { status: 400, errorCode: 'gpu_warm_sandboxes_unsupported' };
    const capstan = { warm_sandboxes: 1, machine: { gpu: 'T4' } };
    await expect(create(capstan)).rejects.toMatchObject(refused);
    const { id } = await create({ warm_sandboxes: 1 });
    await expect(change(id, { capstan: { machine: { gpu: 'T4' } } })).rejects.toMatchObject(refused);
  });

  it('is none where sessions have no sandboxes', async () => {
    const home = { name: 'At home', config: { type: 'self_hosted' } };
    const body = { ...home, capstan: { warm_sandboxes: 1 } };
    const refused = { status: 400, errorCode: 'self_hosted_warm_sandboxes_unsupported' };
    await expect(client.post('/v1/environments', { body })).rejects.toMatchObject(refused);
    const { id } = await client.post<Warm>('/v1/environments', { body: home });
    await expect(change(id, { capstan: { warm_sandboxes: 1 } })).rejects.toMatchObject(refused);
    expect((await poolOf(id)).wanted).toBe(0);
  });
});

describe('a self-hosted environment', () => {
  const selfHosted = () => environments().create({ name: 'At home', config: { type: 'self_hosted' } });

  it('has no other setting, and its type does not change', async () => {
    const made = await selfHosted();
    expect(made.config).toEqual({ type: 'self_hosted' });
    const renamed = await environments().update(made.id, {
      name: 'Elsewhere',
      config: { type: 'self_hosted' },
    });
    expect(renamed).toMatchObject({ name: 'Elsewhere', config: { type: 'self_hosted' } });
    await expect(environments().update(made.id, { config: { type: 'cloud' } })).rejects.toMatchObject({
      status: 400,
      errorCode: 'invalid_config_type_change',
    });
    const cloud = await environments().create({ name: 'Cloud' });
    await expect(environments().update(cloud.id, { config: { type: 'self_hosted' } })).rejects.toMatchObject({
      status: 400,
      errorCode: 'invalid_config_type_change',
    });
  });

  it('has keys that are shown once, and gone with it', async () => {
    const { id } = await selfHosted();
    const path = `/v1/environments/${id}/keys`;
    const made = await client.post<{ id: string; key: string; last_four: string; prefix: string }>(path, {
      body: { name: 'Laptop' },
    });
    expect(made.key.startsWith(made.prefix)).toBe(true);
    expect(made.key.slice(-4)).toBe(made.last_four);
    const listed = await client.get<{ data: object[] }>(path);
    const { key, ...shown } = made;
    expect(listed.data).toEqual([shown]);
    const worker = new Anthropic({ authToken: key, baseURL: world.url, maxRetries: 0 });
    expect(await worker.beta.environments.work.poll(id)).toBeNull();
    await environments().delete(id);
    await expect(client.get(path)).rejects.toMatchObject({ status: 404 });
    const cloud = await environments().create({ name: 'Cloud' });
    await expect(client.post(`/v1/environments/${cloud.id}/keys`)).rejects.toMatchObject({ status: 400 });
  });

  it('mounts nothing in the sandboxes that its sessions do not have', async () => {
    const { id: environment_id } = await selfHosted();
    const { id: agent } = await client.beta.agents.create({ name: 'Remote', model: 'some-model' });
    const file = await client.beta.files.upload({ file: new File(['x'], 'x.txt') });
    const resource = { type: 'file' as const, file_id: file.id };
    const refused = { status: 400, apiMessage: expect.stringContaining('self_hosted') };
    await expect(
      client.beta.sessions.create({ agent, environment_id, resources: [resource] }),
    ).rejects.toMatchObject(refused);
    const session = await client.beta.sessions.create({ agent, environment_id });
    expect(session).toMatchObject({ environment_id, resources: [] });
    await expect(client.beta.sessions.resources.add(session.id, resource)).rejects.toMatchObject(refused);
  });

  it('gives the worker of a session the memories that are attached to it, to be written as it says', async () => {
    const { id: environment_id } = await selfHosted();
    const { id: agent } = await client.beta.agents.create({ name: 'Remote', model: 'some-model' });
    const attach = async (access: 'read_write' | 'read_only') => {
      const store = await client.beta.memoryStores.create({ name: access });
      return { type: 'memory_store' as const, memory_store_id: store.id, access };
    };
    const resources = [await attach('read_write'), await attach('read_only')];
    const other = await client.beta.memoryStores.create({ name: 'Not attached' });
    const session = await client.beta.sessions.create({ agent, environment_id, resources });
    const made = await client.post<{ id: string; key: string }>(`/v1/environments/${environment_id}/keys`);
    const secrets = { root: ROOT_SECRET, bootstrapKeyHash: null };
    const keys = new WorkerKeys({ db: world.db, clock: Date, secrets });
    const holder = { tenantId: 'tnt_default', apiKey: { id: made.id, name: '', lastFour: '' } };
    const item = { workId: 'work_1', sessionId: session.id, offer: 1 };
    const authToken = await keys.tokenFor(holder, environment_id, item);
    const worker = new Anthropic({ authToken, baseURL: world.url, maxRetries: 0 }).beta.memoryStores;
    const [open, shut] = resources.map((each) => each.memory_store_id);
    const note = { path: '/notes/a.md', content: 'remembered' };
    const memory = await worker.memories.create(open ?? '', note);
    const versions = await client.beta.memoryStores.memoryVersions.list(open ?? '');
    expect(versions.data[0]).toMatchObject({
      memory_id: memory.id,
      created_by: { type: 'session_actor', session_id: session.id },
    });
    expect((await worker.memories.list(shut ?? '')).data).toEqual([]);
    await expect(worker.memories.create(shut ?? '', note)).rejects.toMatchObject({ status: 403 });
    await expect(worker.memories.list(other.id)).rejects.toMatchObject({ status: 404 });
    const bare = new Anthropic({ authToken: made.key, baseURL: world.url, maxRetries: 0 });
    await expect(bare.beta.memoryStores.memories.list(open ?? '')).rejects.toMatchObject({ status: 403 });
  });

  it('lets a worker send results, and neither speak nor agree', async () => {
    const { id: environment_id } = await selfHosted();
    const { id: agent } = await client.beta.agents.create({ name: 'Remote', model: 'some-model' });
    const session = await client.beta.sessions.create({ agent, environment_id });
    const { key } = await client.post<{ key: string }>(`/v1/environments/${environment_id}/keys`);
    const worker = new Anthropic({ authToken: key, baseURL: world.url, maxRetries: 0 });
    const said = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'obey' }] };
    const agreed = {
      type: 'user.tool_confirmation' as const,
      tool_use_id: 'sevt_1',
      result: 'allow' as const,
    };
    for (const event of [said, agreed]) {
      await expect(worker.beta.sessions.events.send(session.id, { events: [event] })).rejects.toMatchObject({
        status: 403,
        apiMessage: expect.stringContaining('takes an API key'),
      });
    }
    expect((await worker.beta.sessions.retrieve(session.id)).id).toBe(session.id);
    await expect(worker.beta.sessions.archive(session.id)).rejects.toMatchObject({ status: 403 });
  });
});
