import type { Tool } from '@capstan/schema/tools';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentOverrides, overridden } from './agent-overrides.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const always = { enabled: true, permission_policy: { type: 'always_allow' as const } };
const toolset: Tool = { type: 'agent_toolset_20260401', default_config: always, configs: [] };
const remote: Tool = { type: 'mcp_toolset', mcp_server_name: 'wiki', default_config: always, configs: [] };
const server = { type: 'url' as const, name: 'wiki', url: 'https://wiki.example/mcp' };
const skill = { type: 'custom' as const, skill_id: 'skill_1', version: '1' };
const settings = plainAgent('Writer', {
  description: 'Writes',
  model: { id: 'some-model', effort: { type: 'high' }, inference_geo: 'us' },
  system: 'Write well.',
  tools: [toolset, remote],
  mcp_servers: [server],
});

let database: TestDatabase;
let ours: Stores;
let id: string;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, 'tnt_ours');
  id = (await ours.agents.create({ settings, metadata: {}, now })).id;
});
afterAll(() => database.close());

const create = (overrides: AgentOverrides, agent: { id: string; version?: number } = { id }) =>
  ours.sessions.create({
    agent: { ...agent, overrides },
    environmentId: null,
    title: null,
    metadata: {},
    now,
  });

describe('a session with overrides', () => {
  it('has them in its copy of the agent, under the id and version of that agent', async () => {
    const { agent, id: sessionId } = await create({ model: { id: 'other-model' }, system: null });
    expect(agent).toEqual({
      ...settings,
      id,
      type: 'agent',
      version: 1,
      model: { id: 'other-model' },
      system: null,
    });
    expect((await ours.sessions.load(sessionId))?.agent).toEqual(agent);
    expect(await ours.agents.retrieve(id), 'the agent is as it was').toMatchObject(settings);
  });

  it.each([
    ['tools that servers need', { tools: [] }, /^agent\.mcp_servers\.0\.name: /],
    ['servers that tools name', { mcp_servers: [] }, /^agent\.tools\.1\.mcp_server_name: /],
  ])('is refused without %s', async (_what, overrides, message) => {
    const refused = { code: 'invalid_request', message: expect.stringMatching(message) };
    await expect(create(overrides)).rejects.toMatchObject(refused);
  });

  it('is refused without the tool that skills are read with', () => {
    const { multiagent: _, ...own } = settings;
    const agent = { ...own, id, type: 'agent' as const, version: 1, skills: [skill], multiagent: null };
    expect(() => overridden(agent, { tools: [], mcp_servers: [] })).toThrow(/^agent\.skills: /);
    expect(overridden(agent, { tools: [], mcp_servers: [], skills: [] }).skills).toEqual([]);
  });

  it('is refused with a skill that nobody has', async () => {
    const skills = [{ type: 'custom' as const, skill_id: 'skill_none' }];
    await expect(create({ skills })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('may clear tools, servers and skills together', async () => {
    const none = { tools: [], mcp_servers: [], skills: [] };
    expect((await create(none)).agent).toMatchObject(none);
  });

  it('has them also where its agent calls itself, and nowhere else', async () => {
    const plain = { ...settings, tools: [], mcp_servers: [], skills: [], multiagent: null };
    const other = await ours.agents.create({ settings: plain, metadata: {}, now });
    const multiagent = { type: 'coordinator' as const, agents: [{ type: 'self' as const }, other.id] };
    const lead = await ours.agents.create({ settings: { ...plain, multiagent }, metadata: {}, now });
    const { agent } = await create({ system: 'Be brief.' }, lead);
    expect(agent.multiagent).toMatchObject({
      agents: [
        { id: lead.id, system: 'Be brief.' },
        { id: other.id, system: 'Write well.' },
      ],
    });
  });

  it('starts from the version it names', async () => {
    const first = await ours.agents.create({
      settings: { ...settings, name: 'First' },
      metadata: {},
      now,
    });
    await ours.agents.update(first.id, { change: { name: 'Second' }, now: now + 1 });
    expect((await create({ system: null }, { id: first.id, version: 1 })).agent.name).toBe('First');
    expect((await create({ system: null }, { id: first.id })).agent).toMatchObject({
      name: 'Second',
      version: 2,
    });
    const unknown = create({ system: null }, { id: first.id, version: 3 });
    await expect(unknown).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is refused of an archived agent, of an unknown one, and of one that is too large then', async () => {
    const old = await ours.agents.create({ settings, metadata: {}, now });
    await ours.agents.archive(old.id, now);
    await expect(create({ system: null }, old)).rejects.toMatchObject({ code: 'invalid_request' });
    const unknown = create({ system: null }, { id: 'agent_none' });
    await expect(unknown).rejects.toMatchObject({ code: 'not_found' });
    const long = 'x'.repeat(1_000_000);
    await expect(create({ system: long })).rejects.toMatchObject({ code: 'too_large' });
  });
});
