import type { MultiagentParam } from '@capstan/schema/multiagent';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentSettings } from './agent-settings.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const plain = plainAgent('Writer');
const type = 'multiagent_20261001' as const;
const enabled = { type: 'enabled' as const };
const disabled = { type: 'disabled' as const };
const advising = { type: 'advisor' as const, model: 'wise-model' };

let database: TestDatabase;
let ours: Stores;
let scout: string;
let scribe: string;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, 'tnt_ours');
  scout = (await create({ name: 'scout' })).id;
  scribe = (await create({ name: 'scribe' })).id;
});
afterAll(() => database.close());

const create = (over: Partial<AgentSettings> = {}) =>
  ours.agents.create({ settings: { ...plain, ...over }, metadata: {}, now });
const leading = (multiagent: MultiagentParam, over: Partial<AgentSettings> = {}) =>
  create({ name: 'lead', ...over, multiagent });
const change = async (id: string, multiagent: MultiagentParam | null) =>
  (await ours.agents.update(id, { change: { multiagent }, now: now + 1 })).multiagent;
const pinned = (id: string, version = 1) => ({ type: 'agent' as const, id, version });
const session = (id: string) =>
  ours.sessions.create({ agent: { id }, environmentId: null, title: null, metadata: {}, now });

describe('an agent of the newer form', () => {
  it('has every part filled in', async () => {
    expect((await leading({ type })).multiagent).toEqual({
      type,
      advisor: disabled,
      subagents: { type: 'enabled', inline_agents: enabled, predefined_agents: [] },
      workflows: { type: 'enabled', inline_agents: enabled, predefined_agents: [] },
    });
    const lead = await leading({
      type,
      advisor: { type: 'enabled', model: 'wise-model' },
      subagents: { type: 'enabled', inline_agents: disabled, predefined_agents: [scout, { type: 'self' }] },
      workflows: disabled,
    });
    expect(lead.multiagent).toEqual({
      type,
      advisor: { type: 'enabled', model: 'wise-model' },
      subagents: {
        type: 'enabled',
        inline_agents: disabled,
        predefined_agents: [pinned(scout), pinned(lead.id)],
      },
      workflows: disabled,
    });
  });

  it('needs somebody to call where it may not write agents itself', async () => {
    const subagents = { type: 'enabled' as const, inline_agents: disabled };
    const message = expect.stringMatching(/^multiagent\.subagents\.predefined_agents: name at least one/);
    await expect(leading({ type, subagents })).rejects.toMatchObject({ code: 'invalid_request', message });
    const workflows = { type: 'enabled' as const, inline_agents: disabled };
    await expect(leading({ type, workflows })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^multiagent\.workflows\.predefined_agents: name at least one/),
    });
  });

  it('has a list of its own for workflow runs, merged like the other', async () => {
    const { id, multiagent: first } = await leading({
      type,
      subagents: { ...enabled, predefined_agents: [scout] },
      workflows: { ...enabled, inline_agents: disabled, predefined_agents: [scribe, { type: 'self' }] },
    });
    const workflows = {
      type: 'enabled',
      inline_agents: disabled,
      predefined_agents: [pinned(scribe), pinned(id)],
    };
    const subagents = { type: 'enabled', inline_agents: enabled, predefined_agents: [pinned(scout)] };
    expect(first).toMatchObject({ subagents, workflows });
    expect(await change(id, { type, workflows: enabled })).toEqual(first);
    // Nothing has changed: no version was made.
    expect((await ours.agents.retrieve(id)).version).toBe(1);
    expect(await change(id, { type, workflows: disabled })).toMatchObject({ subagents, workflows: disabled });
    const reset = { type: 'enabled', inline_agents: enabled, predefined_agents: [] };
    expect(await change(id, { type, workflows: null })).toMatchObject({ subagents, workflows: reset });
    expect(await change(id, { type, workflows: { ...enabled, predefined_agents: [scout] } })).toMatchObject({
      workflows: { ...reset, predefined_agents: [pinned(scout)] },
    });
    await expect(
      leading({ type, workflows: { ...enabled, predefined_agents: [scout, scout] } }),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/^multiagent\.workflows\.predefined_agents\.1: the same agent/),
    });
  });

  it('is merged level by level: what is left out stays, null resets', async () => {
    const { id, multiagent: first } = await leading({
      type,
      advisor: { type: 'enabled', model: 'wise-model' },
      subagents: { type: 'enabled', inline_agents: disabled, predefined_agents: [scout] },
    });
    expect(await change(id, { type })).toEqual(first);
    expect(await change(id, { type, subagents: { ...enabled, predefined_agents: [scribe] } })).toEqual({
      ...first,
      subagents: { type: 'enabled', inline_agents: disabled, predefined_agents: [pinned(scribe)] },
    });
    const inline = { type, subagents: { ...enabled, inline_agents: null, predefined_agents: null } };
    expect(await change(id, inline)).toMatchObject({
      advisor: { type: 'enabled' },
      subagents: { type: 'enabled', inline_agents: enabled, predefined_agents: [] },
    });
    expect(await change(id, { type, advisor: null, subagents: disabled })).toMatchObject({
      advisor: disabled,
      subagents: disabled,
    });
    expect(await change(id, { type, subagents: { ...enabled, predefined_agents: [scout] } })).toMatchObject({
      subagents: { type: 'enabled', inline_agents: enabled, predefined_agents: [pinned(scout)] },
    });
    expect(await change(id, { type, subagents: null })).toMatchObject({
      subagents: { type: 'enabled', predefined_agents: [] },
    });
  });

  it('replaces the older form, and is replaced by it', async () => {
    const { id } = await leading({ type: 'coordinator', agents: [scout] });
    const subagents = { ...enabled, predefined_agents: [scribe] };
    expect(await change(id, { type, subagents })).toMatchObject({ type, advisor: disabled });
    const back = { type: 'coordinator' as const, agents: [pinned(scout)] };
    expect(await change(id, { type: 'coordinator', agents: [scout] })).toEqual(back);
    expect(await change(id, null)).toBeNull();
  });

  it('gives its sessions the whole of those it may call', async () => {
    const subagents = { ...enabled, predefined_agents: [scout, { type: 'self' as const }] };
    const lead = await leading({ type, subagents });
    const { agent } = await session(lead.id);
    const flowing = await leading({
      type,
      subagents: { ...enabled, predefined_agents: [scout] },
      workflows: { ...enabled, predefined_agents: [{ type: 'self' }, scribe, scout] },
    });
    expect((await session(flowing.id)).agent.multiagent).toMatchObject({
      subagents: { predefined_agents: [{ id: scout, name: 'scout', tools: [] }] },
      workflows: {
        predefined_agents: [
          { id: flowing.id, name: 'lead', tools: [] },
          { id: scribe, name: 'scribe' },
          { id: scout, name: 'scout' },
        ],
      },
    });
    expect(agent.multiagent).toMatchObject({
      type,
      subagents: {
        inline_agents: enabled,
        predefined_agents: [
          { id: scout, name: 'scout', tools: [] },
          { id: lead.id, name: 'lead' },
        ],
      },
    });
    expect(agent.multiagent).not.toHaveProperty('subagents.predefined_agents.1.multiagent');
    const off = await leading({ type, subagents: disabled });
    expect((await session(off.id)).agent.multiagent).toMatchObject({ subagents: disabled });
  });
});

describe('an advisor of the older form', () => {
  it('comes last, and sessions have it as it is', async () => {
    const lead = await leading({ type: 'coordinator', agents: [advising, scout] });
    expect(lead.multiagent).toEqual({ type: 'coordinator', agents: [pinned(scout), advising] });
    const { agent } = await session(lead.id);
    expect(agent.multiagent).toMatchObject({ agents: [{ id: scout, name: 'scout' }, advising] });
    expect(await change(lead.id, { type: 'coordinator', agents: [advising] })).toEqual({
      type: 'coordinator',
      agents: [advising],
    });
  });

  it('has its name to itself', async () => {
    const { id } = await create({ name: 'anthropic.advisor' });
    const refused = { code: 'invalid_request', message: expect.stringMatching(/is the advisor's/) };
    await expect(leading({ type: 'coordinator', agents: [id] })).rejects.toMatchObject(refused);
  });
});

describe('agents that work together', () => {
  it('say the same of where their models are asked, or nothing', async () => {
    const geo = (inference_geo: 'us' | 'global') => ({ model: { id: 'some-model', inference_geo } });
    const us = await create(geo('us'));
    const anywhere = await create(geo('global'));
    const together = (agents: string[], over: Partial<AgentSettings> = {}) =>
      leading({ type: 'coordinator', agents }, over);
    expect((await together([us.id, scout], geo('us'))).version).toBe(1);
    const refused = {
      code: 'invalid_request',
      message: expect.stringMatching(/^multiagent\.agents\.1: .*geo/),
    };
    await expect(together([scout, anywhere.id], geo('us'))).rejects.toMatchObject(refused);
    await expect(together([us.id, anywhere.id])).rejects.toMatchObject(refused);
  });
});

describe('a deleted agent', () => {
  it('is gone: from reads, lists, rosters and new sessions, and cannot be changed', async () => {
    const { id } = await create();
    const { id: theirs } = await stores(database.db, 'tnt_theirs').agents.create({
      settings: plain,
      metadata: {},
      now,
    });
    const gone = { code: 'not_found' };
    await expect(ours.agents.delete(theirs, now)).rejects.toMatchObject(gone);
    await ours.agents.delete(id, now);
    await expect(ours.agents.delete(id, now)).rejects.toMatchObject(gone);
    await expect(ours.agents.retrieve(id)).rejects.toMatchObject(gone);
    await expect(ours.agents.retrieve(id, 1)).rejects.toMatchObject(gone);
    await expect(ours.agents.versions(id, { limit: 5 })).rejects.toMatchObject(gone);
    await expect(ours.agents.archive(id, now)).rejects.toMatchObject(gone);
    await expect(ours.agents.update(id, { change: { name: 'Late' }, now })).rejects.toMatchObject(gone);
    await expect(session(id)).rejects.toMatchObject(gone);
    await expect(leading({ type: 'coordinator', agents: [id] })).rejects.toMatchObject(gone);
    const { data } = await ours.agents.list({ limit: 100, includeArchived: true, created: {} });
    expect(data.map((agent) => agent.id)).not.toContain(id);
  });

  it('is still called where a roster had pinned it, also after the roster is saved again', async () => {
    const { id } = await create({ name: 'gone' });
    const lead = await leading({ type: 'coordinator', agents: [id] });
    const begun = await session(lead.id);
    await ours.agents.delete(id, now);
    const { multiagent } = await ours.agents.update(lead.id, { change: { name: 'leader' }, now });
    expect(multiagent).toEqual({ type: 'coordinator', agents: [pinned(id)] });
    const later = await session(lead.id);
    expect(later.agent.multiagent).toEqual(begun.agent.multiagent);
    expect(later.agent.multiagent).toMatchObject({ agents: [{ id, name: 'gone' }] });
    expect((await ours.sessions.find(begun.id))?.agent.multiagent).toEqual(begun.agent.multiagent);
  });
});
