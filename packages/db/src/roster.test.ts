import type { ThreadAgent } from '@capstan/schema/agents';
import type { Claim } from '@capstan/schema/idempotency';
import type { RosterEntry } from '@capstan/schema/multiagent';
import { rosterOf } from '@capstan/schema/roster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentSettings } from './agent-settings.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const plain = plainAgent('Writer — ünïcode "quoted" \\ \u2028', {
  system: 'Write well.\n',
  tools: [{ type: 'custom', name: 't', description: 'd', input_schema: { type: 'object', n: 1.5e21 } }],
});

let database: TestDatabase;
let ours: Stores;
let theirs: Stores;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, 'tnt_ours');
  theirs = stores(database.db, 'tnt_theirs');
});
afterAll(() => database.close());

const agentIn = async (store: Stores, over: Partial<AgentSettings> = {}) =>
  store.agents.create({ settings: { ...plain, ...over }, metadata: {}, now });
const coordinator = (...agents: RosterEntry[]) =>
  agentIn(ours, { name: 'Lead', multiagent: { type: 'coordinator', agents } });
const self = { type: 'self' as const };
const toThreadAgent = ({ id, version }: { id: string; version: number }, name: string): ThreadAgent => {
  const { multiagent: _, ...settings } = plain;
  return { ...settings, skills: [], type: 'agent', id, version, name };
};

describe('a roster', () => {
  it('keeps the agents in their order, each in one version', async () => {
    const [one, two] = [await agentIn(ours), await agentIn(ours)];
    const lead = await coordinator(two.id, self, { type: 'agent', id: one.id, version: 1 });
    expect(lead.multiagent).toEqual({
      type: 'coordinator',
      agents: [
        { type: 'agent', id: two.id, version: 1 },
        { type: 'agent', id: lead.id, version: 1 },
        { type: 'agent', id: one.id, version: 1 },
      ],
    });
    expect(await ours.agents.retrieve(lead.id)).toEqual(lead);
  });

  it('refuses agents that do not exist, and those of another tenant', async () => {
    const known = await agentIn(ours);
    const foreign = await agentIn(theirs);
    const refused = (id: string) => ({ code: 'not_found', message: `multiagent.agents.1: no agent ${id}` });
    await expect(coordinator(known.id, 'agent_none')).rejects.toMatchObject(refused('agent_none'));
    await expect(coordinator(known.id, foreign.id)).rejects.toMatchObject(refused(foreign.id));
    await expect(coordinator({ type: 'agent', id: known.id, version: 2 })).rejects.toMatchObject({
      code: 'not_found',
      message: `multiagent.agents.0: no agent ${known.id} with version 2`,
    });
  });

  it('refuses archived agents, agents with a roster, and the same agent twice', async () => {
    const known = await agentIn(ours);
    const archived = await agentIn(ours);
    await ours.agents.archive(archived.id, now);
    const lead = await coordinator(known.id);
    const refused = (message: RegExp) => ({
      code: 'invalid_request',
      message: expect.stringMatching(message),
    });
    await expect(coordinator(archived.id)).rejects.toMatchObject(
      refused(/^multiagent\.agents\.0: .* archived/),
    );
    await expect(coordinator(lead.id)).rejects.toMatchObject(
      refused(/^multiagent\.agents\.0: .* roster of its own/),
    );
    await expect(coordinator(self, self)).rejects.toMatchObject(refused(/^multiagent\.agents\.1: the same/));
    const pinned = { type: 'agent' as const, id: known.id, version: 1 };
    await expect(coordinator(known.id, self, pinned)).rejects.toMatchObject(
      refused(/^multiagent\.agents\.2: the same agent as multiagent\.agents\.0/),
    );
  });

  it('refuses more than one session could keep a copy of', async () => {
    const system = 'x'.repeat(100_000);
    const tool = (index: number) => ({
      type: 'custom' as const,
      name: `t${index}`,
      description: 'd'.repeat(350_000),
      input_schema: { type: 'object' as const },
    });
    const large = await agentIn(ours, { system, tools: [tool(1)] });
    const larger = await agentIn(ours, { system, tools: [tool(1)] });
    await expect(coordinator(large.id)).resolves.toMatchObject({ type: 'agent' });
    await expect(coordinator(large.id, larger.id)).rejects.toMatchObject({
      code: 'too_large',
      message: expect.stringMatching(/^agent and those of its roster together: /),
    });
    const multiagent = { type: 'coordinator' as const, agents: [self] };
    await expect(agentIn(ours, { system, tools: [tool(1)], multiagent })).rejects.toMatchObject({
      code: 'too_large',
    });
  });
});

describe('a session of a coordinator', () => {
  const session = (agent: string, claim?: Claim) =>
    ours.sessions.create(
      { agent: { id: agent }, environmentId: null, title: null, metadata: {}, now },
      claim,
    );

  it('keeps whole copies of the agents it may call, in the order of the roster', async () => {
    const called = [];
    for (let i = 0; i < 12; i++) called.push(await agentIn(ours, { name: `Called ${i}` }));
    called.reverse();
    const lead = await coordinator(...called.map(({ id }) => id), self);
    const created = await session(lead.id);
    expect(created.agent).toMatchObject({ id: lead.id, version: 1, name: 'Lead' });
    expect(created.agent.multiagent).toEqual({
      type: 'coordinator',
      agents: [...called, lead].map((agent) => toThreadAgent(agent, agent.name)),
    });
    expect((await ours.sessions.load(created.id))?.agent).toEqual(created.agent);
  });

  it('starts although an agent of its roster was archived since', async () => {
    const called = await agentIn(ours);
    const lead = await coordinator(called.id);
    await ours.agents.archive(called.id, now);
    const { multiagent } = (await session(lead.id)).agent;
    expect(rosterOf(multiagent)).toEqual([toThreadAgent(called, plain.name)]);
  });

  it('is answered again, byte for byte', async () => {
    const lead = await coordinator((await agentIn(ours)).id, self);
    const claim: Claim = { name: 'once', by: 'key', fingerprint: 'a body', mayRepeat: true };
    const create = () => ours.receipts.once(claim, now, (kept) => session(lead.id, kept));
    const [first, again] = [await create(), await create()];
    expect([first.replayed, again.replayed]).toEqual([false, true]);
    expect(JSON.stringify(again.reply)).toBe(JSON.stringify(first.reply));
  });
});
