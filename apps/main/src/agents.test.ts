import Anthropic from '@anthropic-ai/sdk';
import type { Agent } from '@capstan/schema/agents';
import type { Session } from '@capstan/schema/sessions';
import type { Thread } from '@capstan/schema/threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;
let stranger: Anthropic;
let environment_id: string;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
  environment_id = (await client.beta.environments.create({ name: 'Open' })).id;
});
afterAll(() => world.close());

const toolset = { type: 'agent_toolset_20260401' as const };
const custom = (name: string, input_schema: object = {}) => ({
  type: 'custom' as const,
  name,
  description: 'Finds',
  input_schema: { type: 'object' as const, ...input_schema },
});
type NewAgent = Anthropic.Beta.AgentCreateParams;
const create = (more: Partial<NewAgent> = {}) =>
  client.beta.agents.create({ name: 'Scribe', model: 'some-model', ...more });
type Referred = Exclude<Anthropic.Beta.SessionCreateParams['agent'], string>;
const start = (agent: Referred) => client.beta.sessions.create({ agent, environment_id });
const remove = (id: string, as = client) => as.delete(`/v1/agents/${id}`);
const refused = (message: RegExp, status = 400) => ({
  status,
  apiMessage: expect.stringMatching(message),
});

type Theirs = Anthropic.Beta.BetaManagedAgentsAgent;
type TheirSession = Anthropic.Beta.BetaManagedAgentsSession;
type TheirThread = Anthropic.Beta.Sessions.BetaManagedAgentsSessionThread;
/** That the settings of a tool have one name twice, their types cannot say: tools are compared as they are answered. */
type Toolless<T> = T extends unknown ? Omit<T, 'tools' | 'multiagent'> : never;

/** What is answered is what the official types say; it is checked where this is compiled. */
export const proofs = [
  (body: Agent) => body satisfies Omit<Theirs, 'tools'>,
  (body: Session) => body satisfies Omit<TheirSession, 'agent' | 'budget'>,
  (body: Session) => body.agent satisfies Toolless<TheirSession['agent']>,
  (body: Thread) => body satisfies Omit<TheirThread, 'agent'>,
  (body: Thread) => body.agent satisfies Toolless<TheirThread['agent']>,
];

describe('a deleted agent', () => {
  it('leaves a tombstone, and the sessions that it began', async () => {
    const { id } = await create();
    const session = await start({ type: 'agent', id });
    await expect(remove(id, stranger)).rejects.toMatchObject({ status: 404 });
    expect(await remove(id)).toEqual({ id, type: 'agent_deleted' });
    await expect(remove(id)).rejects.toMatchObject({ status: 404 });
    await expect(client.beta.agents.retrieve(id)).rejects.toMatchObject({ status: 404 });
    await expect(start({ type: 'agent', id })).rejects.toMatchObject({ status: 404 });
    const kept = await client.beta.sessions.retrieve(session.id);
    expect(kept.agent).toMatchObject({ id, name: 'Scribe' });
  });
});

describe('a custom tool', () => {
  it.each([
    [
      'a reference',
      { properties: { a: { $ref: '#/x' } } },
      /^tools\.0\.input_schema\.properties\.a\.\$ref: /,
    ],
    ['alternatives at the top', { oneOf: [] }, /^tools\.0\.input_schema\.oneOf: /],
    [
      'a property with a bad name',
      { properties: { 'a b': {} } },
      /^tools\.0\.input_schema\.properties\.a b: /,
    ],
    ['a long name of a property', { properties: { ['p'.repeat(65)]: {} } }, /must be 1-64 letters/],
    ['no list of what is required', { required: 'a' }, /^tools\.0\.input_schema\.required: /],
  ])('is refused with %s', async (_what, schema, message) => {
    await expect(create({ tools: [custom('look', schema)] })).rejects.toMatchObject(refused(message));
  });

  it.each([
    ['built-in tool', [custom('bash')], /^tools\.0\.name: bash is a built-in tool/],
    [
      'tool of the engine',
      [custom('consult_advisor')],
      /^tools\.0\.name: is the name of a tool of the engine/,
    ],
    ['server', [custom('mcp__x')], /^tools\.0\.name: must not start/],
    ['other tool', [custom('look'), custom('look')], /^tools\.1\.name: a tool named look/],
  ])('is refused with the name of a %s', async (_what, tools, message) => {
    await expect(create({ tools })).rejects.toMatchObject(refused(message));
  });

  it('is one of 256 at most, built-in ones counted', async () => {
    const tools = (count: number) => Array.from({ length: count }, (_, index) => custom(`t${index}`));
    expect((await create({ tools: tools(256) })).tools).toHaveLength(256);
    await expect(create({ tools: tools(257) })).rejects.toMatchObject(refused(/^tools: /));
    const off = {
      ...toolset,
      default_config: { enabled: false },
      configs: [{ name: 'bash' as const, enabled: true }],
    };
    expect((await create({ tools: [off, ...tools(255)] })).tools).toHaveLength(256);
    await expect(create({ tools: [off, ...tools(256)] })).rejects.toMatchObject(refused(/^tools: /));
  });
});

describe('an agent', () => {
  it('is refused a system prompt that is too long, and the identity of a cloud provider', async () => {
    await expect(create({ system: 'x'.repeat(100_001) })).rejects.toMatchObject(refused(/^system: /));
    const role = { type: 'aws_role' as const, role_arn: 'arn:aws:iam::123456789012:role/runner' };
    const message = /^execution_identity\.type: only "service_account"/;
    await expect(create({ execution_identity: role })).rejects.toMatchObject(refused(message));
    const { id } = await create();
    const updated = await client.beta.agents.update(id, { execution_identity: null });
    expect(updated).toMatchObject({ version: 1, execution_identity: { type: 'service_account' } });
  });

  it('keeps the effort of its model until another model, or another effort, is named', async () => {
    const { id } = await create({ model: { id: 'm', effort: 'high', inference_geo: 'us' } });
    const model = async (to: NewAgent['model']) => (await client.beta.agents.update(id, { model: to })).model;
    expect(await model({ id: 'm' })).toEqual({ id: 'm', effort: { type: 'high' } });
    expect(await model('m')).toEqual({ id: 'm', effort: { type: 'high' } });
    expect(await model({ id: 'm', effort: { type: 'low' } })).toEqual({ id: 'm', effort: { type: 'low' } });
    expect(await model('other')).toEqual({ id: 'other' });
  });

  it('takes settings of this server under one key, and refuses those nobody knows', async () => {
    const capstan = { model: { temperature: 0.2, max_output_tokens: 500 }, harness: { max_model_calls: 9 } };
    const body = { name: 'Scribe', model: 'some-model', capstan };
    const agent = await client.beta.agents.create(body);
    expect(agent).toMatchObject({ capstan });
    expect((await start({ type: 'agent', id: agent.id })).agent).toMatchObject({ capstan });
    const same = await client.beta.agents.update(agent.id, { name: 'Scribe' });
    expect(same).toEqual(agent);
    const cleared = { name: 'Scribe', capstan: null };
    const without = await client.beta.agents.update(agent.id, cleared);
    expect(without).not.toHaveProperty('capstan');
    expect(without.version).toBe(2);
    for (const [bad, message] of [
      [{ models: {} }, /^capstan: .*models/],
      [{ model: { temperature: 3 } }, /^capstan\.model\.temperature: /],
      [{ model: { temperature: 1, top_p: 1 } }, /^capstan\.model\.top_p: is not taken beside/],
      [{ harness: { max_model_calls: 501 } }, /^capstan\.harness\.max_model_calls: /],
    ] as const) {
      const asked = client.beta.agents.create({ ...body, ...{ capstan: bad } });
      await expect(asked).rejects.toMatchObject(refused(message));
    }
  });

  it('has a crew in the newer form, whose parts are merged', async () => {
    const { id: scout } = await create();
    const type = 'multiagent_20261001' as const;
    const advisor = { type: 'enabled' as const, model: 'wise-model' };
    const lead = await create({
      multiagent: { type, advisor, subagents: { type: 'enabled', predefined_agents: [scout] } },
    });
    const subagents = {
      type: 'enabled',
      inline_agents: { type: 'enabled' },
      predefined_agents: [{ type: 'agent', id: scout, version: 1 }],
    };
    const workflows = { type: 'enabled', inline_agents: { type: 'enabled' }, predefined_agents: [] };
    expect(lead.multiagent).toEqual({ type, advisor, subagents, workflows });
    const merged = await client.beta.agents.update(lead.id, {
      multiagent: { type, advisor: { type: 'disabled' } },
    });
    expect(merged.multiagent).toMatchObject({ advisor: { type: 'disabled' }, subagents });
    const { agent } = await start({ type: 'agent', id: lead.id });
    expect(agent.multiagent).toMatchObject({ subagents: { predefined_agents: [{ name: 'Scribe' }] } });
    const flowing = await client.beta.agents.update(lead.id, {
      multiagent: { type, workflows: { type: 'enabled', predefined_agents: [{ type: 'self' }] } },
    });
    expect(flowing.multiagent).toMatchObject({
      subagents,
      workflows: { predefined_agents: [{ id: lead.id, version: 3 }] },
    });
    expect((await start({ type: 'agent', id: lead.id })).agent.multiagent).toMatchObject({
      workflows: { predefined_agents: [{ id: lead.id, name: 'Scribe' }] },
    });
    const nobody = { type: 'enabled' as const, inline_agents: { type: 'disabled' as const } };
    await expect(create({ multiagent: { type, workflows: nobody } })).rejects.toMatchObject(
      refused(/^multiagent\.workflows\.predefined_agents: name at least one/),
    );
  });

  it('has one advisor at most', async () => {
    const advisor = { type: 'advisor' as const, model: 'wise-model' };
    const agent = await create({ multiagent: { type: 'coordinator', agents: [advisor] } });
    expect(agent.multiagent).toEqual({ type: 'coordinator', agents: [advisor] });
    const two = create({ multiagent: { type: 'coordinator', agents: [advisor, advisor] } });
    await expect(two).rejects.toMatchObject(refused(/^multiagent\.agents\.1: an agent has one advisor/));
  });
});

describe('a session that overrides its agent', () => {
  it('has what it names, under the id and version of the agent, and leaves that as it is', async () => {
    const agent = await create({ system: 'Write.', tools: [toolset], model: { id: 'm', effort: 'high' } });
    const session = await start({
      type: 'agent_with_overrides',
      id: agent.id,
      model: { id: 'm2', effort: 'max' },
      system: null,
      tools: [custom('look')],
    });
    expect(session.agent).toMatchObject({
      id: agent.id,
      version: 1,
      name: 'Scribe',
      model: { id: 'm2' },
      system: null,
      tools: [custom('look')],
    });
    expect(session.agent.model, 'effort is not applied').not.toHaveProperty('effort');
    expect(await client.beta.sessions.retrieve(session.id)).toMatchObject({ agent: session.agent });
    expect(await client.beta.agents.retrieve(agent.id)).toEqual(agent);
    const cleared = await start({
      type: 'agent_with_overrides',
      id: agent.id,
      version: 1,
      tools: [],
      skills: [],
      mcp_servers: [],
    });
    expect(cleared.agent).toMatchObject({ tools: [], skills: [], mcp_servers: [], system: 'Write.' });
  });

  it('cannot be without a model, and not with tools that cannot be', async () => {
    const { id } = await create();
    const path = '/v1/sessions';
    const none = { agent: { type: 'agent_with_overrides', id, model: null }, environment_id };
    await expect(client.post(path, { body: none })).rejects.toMatchObject({
      ...refused(/^agent\.model: cannot be cleared/),
      errorCode: 'agent_model_required',
    });
    const twice = start({ type: 'agent_with_overrides', id, tools: [custom('a'), custom('a')] });
    await expect(twice).rejects.toMatchObject(refused(/^agent\.tools\.1\.name: /));
    const long = start({ type: 'agent_with_overrides', id, system: 'x'.repeat(100_001) });
    await expect(long).rejects.toMatchObject(refused(/^agent\.system: /));
  });
});

describe('the tools of a session', () => {
  it('can be replaced, which reads and lists show from then on', async () => {
    const { id } = await create({ tools: [toolset] });
    const session = await start({ type: 'agent', id });
    const tools = [custom('look')];
    const updated = await client.beta.sessions.update(session.id, { agent: { tools } });
    expect(updated.agent).toEqual({ ...session.agent, tools });
    expect((await client.beta.sessions.retrieve(session.id)).agent.tools).toEqual(tools);
    const { data } = await client.beta.sessions.list({ agent_id: id });
    expect(data[0]?.agent.tools).toEqual(tools);
    expect((await client.beta.agents.retrieve(id)).tools).toHaveLength(1);
    const cleared = await client.beta.sessions.update(session.id, { agent: { tools: [] } });
    expect(cleared.agent.tools).toEqual([]);
    const bad = client.beta.sessions.update(session.id, { agent: { tools: [custom('bash')] } });
    await expect(bad).rejects.toMatchObject(refused(/^agent\.tools\.0\.name: /));
  });
});
