import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());

const say = (text: string) => ({
  events: [{ type: 'user.message' as const, content: [{ type: 'text' as const, text }] }],
});

const createAgent = () => client.beta.agents.create({ name: 'Scribe', model: 'some-model' });
const createSession = async () => client.beta.sessions.create(await required());
async function required() {
  const environment = await client.beta.environments.create({ name: 'Open' });
  return { agent: (await createAgent()).id, environment_id: environment.id };
}

describe('a deleted session', () => {
  it('is gone from lists and reads, and from strangers it was always hidden', async () => {
    const session = await createSession();
    await expect(stranger.beta.sessions.delete(session.id)).rejects.toMatchObject({ status: 404 });
    expect(await client.beta.sessions.delete(session.id)).toEqual({
      id: session.id,
      type: 'session_deleted',
    });
    await expect(client.beta.sessions.retrieve(session.id)).rejects.toMatchObject({ status: 404 });
    await expect(client.beta.sessions.delete(session.id)).rejects.toMatchObject({ status: 404 });
    for await (const listed of client.beta.sessions.list()) expect(listed.id).not.toBe(session.id);
  });
});

describe('agents through the official SDK', () => {
  it('fills every default of an agent', async () => {
    const agent = await client.beta.agents.create({
      name: 'Coder',
      model: { id: 'some-model', effort: 'high' },
      tools: [
        {
          type: 'agent_toolset_20260401',
          configs: [{ name: 'bash', permission_policy: { type: 'always_ask' } }],
        },
        { type: 'custom', name: 'lookup', description: 'Finds', input_schema: { type: 'object' } },
      ],
    });
    expect(agent).toMatchObject({
      type: 'agent',
      version: 1,
      description: null,
      system: null,
      model: { id: 'some-model', effort: { type: 'high' } },
      mcp_servers: [],
      skills: [],
      multiagent: null,
      metadata: {},
      archived_at: null,
      execution_identity: { type: 'service_account' },
    });
    expect(agent.tools).toEqual([
      {
        type: 'agent_toolset_20260401',
        default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
        configs: [{ type: 'bash', name: 'bash', enabled: true, permission_policy: { type: 'always_ask' } }],
      },
      { type: 'custom', name: 'lookup', description: 'Finds', input_schema: { type: 'object' } },
    ]);
    expect(await client.beta.agents.retrieve(agent.id, { version: 1 })).toEqual(agent);
  });

  it('takes null for what may be left out', async () => {
    const agent = await client.beta.agents.create({
      name: 'Plain',
      model: { id: 'some-model', effort: null, speed: null, inference_geo: null },
      description: null,
      system: null,
      multiagent: null,
      execution_identity: null,
    });
    expect(agent.model).toEqual({ id: 'some-model' });
    const filled = { type: 'cloud', networking: { type: 'unrestricted' }, packages: { pip: [] } };
    for (const config of [null, { type: 'cloud' as const, networking: null, packages: { pip: null } }]) {
      const environment = await client.beta.environments.create({ name: 'Plain', config, scope: null });
      expect(environment).toMatchObject({ config: filled, scope: 'organization' });
    }
    const networking = {
      type: 'limited' as const,
      allowed_hosts: null,
      allow_mcp_servers: true,
      allow_package_managers: null,
    };
    const limited = await client.beta.environments.create({
      name: 'Limited',
      config: { type: 'cloud', networking, packages: null },
    });
    expect(limited.config).toMatchObject({
      networking: { ...networking, allowed_hosts: [], allow_package_managers: false },
    });
  });

  it('pins the agents that an agent may call, and shows a session all of them', async () => {
    const called = await createAgent();
    const lead = await client.beta.agents.create({
      name: 'Lead',
      model: 'some-model',
      multiagent: { type: 'coordinator', agents: [called.id, { type: 'self' }] },
    });
    const reference = (id: string) => ({ type: 'agent', id, version: 1 });
    expect(lead.multiagent).toEqual({
      type: 'coordinator',
      agents: [reference(called.id), reference(lead.id)],
    });
    expect(await client.beta.agents.retrieve(lead.id)).toEqual(lead);
    const { environment_id } = await required();
    const session = await client.beta.sessions.create({ agent: lead.id, environment_id });
    const definition = ({ id, name, model }: typeof lead) => ({
      ...reference(id),
      name,
      model,
      description: null,
      system: null,
      tools: [],
      mcp_servers: [],
      skills: [],
      execution_identity: { type: 'service_account' },
    });
    expect(session.agent.multiagent).toEqual({
      type: 'coordinator',
      agents: [definition(called), definition(lead)],
    });
    expect((await client.beta.sessions.retrieve(session.id)).agent).toEqual(session.agent);
  });

  it('refuses a roster that cannot be', async () => {
    const create = (multiagent: Anthropic.Beta.Sessions.BetaManagedAgentsMultiagentParams) =>
      client.beta.agents.create({ name: 'Lead', model: 'some-model', multiagent });
    await expect(create({ type: 'coordinator', agents: ['agent_none'] })).rejects.toMatchObject({
      status: 404,
    });
    await expect(create({ type: 'coordinator', agents: [] })).rejects.toMatchObject({ status: 400 });
    const crowd = Array.from({ length: 21 }, (_, index) => `agent_${index}`);
    await expect(create({ type: 'coordinator', agents: crowd })).rejects.toMatchObject({ status: 400 });
  });

  it('changes an agent version by version', async () => {
    const agent = await createAgent();
    const second = await client.beta.agents.update(agent.id, {
      version: 1,
      system: 'Write.',
      metadata: { team: 'docs' },
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    expect(second).toMatchObject({ id: agent.id, version: 2, name: 'Scribe', system: 'Write.' });
    expect(second.tools).toMatchObject([{ type: 'agent_toolset_20260401', configs: [] }]);
    const cleared = { system: '', tools: null, description: null, metadata: { team: null } };
    const third = await client.beta.agents.update(agent.id, cleared);
    expect(third).toMatchObject({ version: 3, system: null, tools: [], metadata: {} });
    expect(await client.beta.agents.update(agent.id, cleared)).toEqual(third);
    const versions: number[] = [];
    for await (const { version } of client.beta.agents.versions.list(agent.id, { limit: 2 })) {
      versions.push(version);
    }
    expect(versions).toEqual([3, 2, 1]);
    expect(await client.beta.agents.retrieve(agent.id, { version: 2 })).toMatchObject({ system: 'Write.' });
    const patient = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 2 });
    const late = await patient.beta.agents.update(agent.id, { version: 2 }).catch((error) => error);
    expect(late).toBeInstanceOf(Anthropic.ConflictError);
    expect(late.headers.get('x-should-retry')).toBe('false');
    await client.beta.agents.archive(agent.id);
    await expect(client.beta.agents.update(agent.id, { name: 'Late' })).rejects.toMatchObject({
      status: 400,
    });
  });

  it('refuses an identity that it would not run under', async () => {
    const execution_identity = { type: 'aws_role' as const, role_arn: 'arn:aws:iam::1:role/agent' };
    const refused = client.beta.agents.create({ name: 'Roled', model: 'some-model', execution_identity });
    await expect(refused).rejects.toMatchObject({
      status: 400,
      apiMessage: expect.stringMatching(/^execution_identity\.type: only "service_account"/),
    });
  });

  it('pages through a list without missing or repeating', async () => {
    const made = [];
    for (let i = 0; i < 5; i++) made.unshift((await createAgent()).id);
    const listed: string[] = [];
    for await (const agent of client.beta.agents.list({ limit: 2 })) listed.push(agent.id);
    expect(listed.slice(0, 5)).toEqual(made);
    expect(new Set(listed).size).toBe(listed.length);
  });

  it('starts no session from an archived agent', async () => {
    const { agent, environment_id } = await required();
    expect((await client.beta.agents.archive(agent)).archived_at).not.toBeNull();
    await expect(client.beta.sessions.create({ agent, environment_id })).rejects.toMatchObject({
      status: 400,
    });
  });

  it('shows the request id on answers and errors', async () => {
    expect((await createAgent())._request_id).toMatch(/^req_/);
    const refused = client.beta.agents.retrieve('agent_none');
    await expect(refused).rejects.toBeInstanceOf(Anthropic.NotFoundError);
    await expect(refused).rejects.toMatchObject({
      type: 'not_found_error',
      requestID: expect.stringMatching(/^req_/),
    });
  });
});

describe('sessions through the official SDK', () => {
  it('creates, retrieves, lists and archives', async () => {
    const { agent, environment_id } = await required();
    const created = await client.beta.sessions.create({
      agent: { type: 'agent', id: agent, version: 1 },
      environment_id,
      title: 'First',
      metadata: { ticket: '7' },
    });
    expect(created).toMatchObject({
      type: 'session',
      status: 'idle',
      title: 'First',
      metadata: { ticket: '7' },
      environment_id,
      agent: { id: agent, version: 1, name: 'Scribe' },
      resources: [],
      vault_ids: [],
      budget: null,
      archived_at: null,
    });
    const found = await client.beta.sessions.retrieve(created.id);
    expect(found.usage.input_tokens, 'asked of the session, not of the index').toBe(7);
    const page = await client.beta.sessions.list({ agent_id: agent, statuses: ['idle', 'running'] });
    expect(page.data.map(({ id }) => id)).toEqual([created.id]);
    const archived = await client.beta.sessions.archive(created.id);
    expect(archived).toMatchObject({ status: 'terminated', archived_at: expect.any(String) });
  });

  it('does not retry a send to an archived session', async () => {
    const session = await createSession();
    await client.beta.sessions.archive(session.id);
    const patient = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 2 });
    const refused = await patient.beta.sessions.events.send(session.id, say('hi')).catch((error) => error);
    expect(refused).toBeInstanceOf(Anthropic.ConflictError);
    expect(refused.headers.get('x-should-retry')).toBe('false');
  });

  it('hides a session from another tenant, whatever is asked of it', async () => {
    const { id } = await createSession();
    const { sessions } = stranger.beta;
    const notFound = { status: 404 };
    await expect(sessions.retrieve(id)).rejects.toMatchObject(notFound);
    await expect(sessions.archive(id)).rejects.toMatchObject(notFound);
    await expect(sessions.events.send(id, say('hi'))).rejects.toMatchObject(notFound);
    await expect(sessions.events.list(id)).rejects.toMatchObject(notFound);
    await expect(sessions.events.stream(id)).rejects.toMatchObject(notFound);
  });
});

describe('events through the official SDK', () => {
  it('echoes what was sent and lists it with the same ids, page by page', async () => {
    const { id } = await createSession();
    const sent: (string | undefined)[] = [];
    for (const text of ['one', 'two', 'three']) {
      const { data } = await client.beta.sessions.events.send(id, say(text));
      sent.push(...(data ?? []).map((event) => event.id));
    }
    const listed: string[] = [];
    for await (const event of client.beta.sessions.events.list(id, { limit: 2 })) listed.push(event.id);
    expect(listed).toEqual(sent);
  });

  it('streams from the last event id, with the previews asked for', async () => {
    const { id } = await createSession();
    await client.beta.sessions.events.send(id, say('one'));
    const { data } = await client.beta.sessions.events.send(id, say('two'));
    const stream = await client.beta.sessions.events.stream(
      id,
      { event_deltas: ['agent.message'] },
      { headers: { 'last-event-id': '1' } },
    );
    const seen: unknown[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([{ type: 'test.query', query: { after: 1, deltas: ['agent.message'] } }, data?.[0]]);
  });

  it('lets go of a stream that its reader left', async () => {
    const { id } = await createSession();
    const stream = await client.beta.sessions.events.stream(id);
    for await (const _ of stream) break;
    await expect.poll(openStreams).toBe('0 open streams');
  });

  async function openStreams() {
    const health: { backends: { models: { detail: string } } } = await (await world.fetch('/health')).json();
    return health.backends.models.detail;
  }
});

describe('threads through the official SDK', () => {
  async function createTeam() {
    const { id: called } = await createAgent();
    const { id: agent } = await client.beta.agents.create({
      name: 'Lead',
      model: 'some-model',
      multiagent: { type: 'coordinator', agents: [called] },
    });
    const { id } = await client.beta.sessions.create({ ...(await required()), agent });
    const listed = await client.beta.sessions.threads.list(id);
    const [primary] = listed.data;
    if (!primary) throw new Error('no primary thread');
    return { id, agent, primary, session_id: id };
  }

  it('shows the primary one before it first runs', async () => {
    const { id, agent, primary, session_id } = await createTeam();
    expect(primary).toMatchObject({
      type: 'session_thread',
      session_id: id,
      parent_thread_id: null,
      agent: { type: 'agent', id: agent, version: 1, name: 'Lead' },
      status: 'idle',
      stats: null,
      usage: null,
      workflow_run_id: null,
      archived_at: null,
    });
    expect(primary.agent).not.toHaveProperty('multiagent');
    expect(await client.beta.sessions.threads.retrieve(primary.id, { session_id })).toEqual(primary);
    const refused = client.beta.sessions.threads.archive(primary.id, { session_id });
    await expect(refused).rejects.toMatchObject({ status: 400 });
  });

  it('lists and streams the events of one thread', async () => {
    const { id, primary, session_id } = await createTeam();
    const { data } = await client.beta.sessions.events.send(id, say('one'));
    const listed = await client.beta.sessions.threads.events.list(primary.id, { session_id, limit: 1 });
    expect(listed.data).toEqual(data);
    const query = { session_id, event_deltas: ['agent.message' as const] };
    const headers = { 'last-event-id': '1' };
    const stream = await client.beta.sessions.threads.events.stream(primary.id, query, { headers });
    const asked = { after: 1, deltas: ['agent.message'], thread: primary.id };
    for await (const event of stream) {
      expect(event).toEqual({ type: 'test.query', query: asked });
      break;
    }
    const path = `/v1/sessions/${id}/threads/${primary.id}/events/stream?event_deltas[]=agent.message`;
    const same = await world.fetch(path, { headers: { ...headers, 'x-api-key': world.key } });
    const reader = same.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain(JSON.stringify(asked));
    await reader?.cancel();
    const head = (of: string) =>
      world.fetch(path.replace(primary.id, of), { method: 'HEAD', headers: { 'x-api-key': world.key } });
    expect([(await head(primary.id)).status, (await head('sthr_none')).status]).toEqual([200, 404]);
  });

  it('does not find a thread that the session does not have, or that belongs to a stranger', async () => {
    const { id, primary } = await createTeam();
    const { session_id } = await createTeam();
    const notFound = { status: 404 };
    for (const [who, where] of [
      [client, session_id],
      [stranger, id],
    ] as const) {
      const { threads } = who.beta.sessions;
      const of = { session_id: where };
      await expect(threads.retrieve(primary.id, of)).rejects.toMatchObject(notFound);
      await expect(threads.archive(primary.id, of)).rejects.toMatchObject(notFound);
      await expect(threads.events.list(primary.id, of)).rejects.toMatchObject(notFound);
      await expect(threads.events.stream(primary.id, of)).rejects.toMatchObject(notFound);
    }
    await expect(stranger.beta.sessions.threads.list(id)).rejects.toMatchObject(notFound);
  });
});
