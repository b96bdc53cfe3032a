import type { Agent } from '@capstan/schema/agents';
import type { Claim } from '@capstan/schema/idempotency';
import type { Page } from '@capstan/schema/page';
import { rosterOf } from '@capstan/schema/roster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentChange, AgentSettings } from './agent-settings.ts';
import { AgentStore } from './agents.ts';
import { ReceiptStore } from './receipts.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const settings = plainAgent('Writer', {
  description: 'Writes',
  model: { id: 'some-model', effort: { type: 'high' }, speed: 'fast' },
  system: 'Write well.',
  tools: [{ type: 'custom', name: 't', description: 'd', input_schema: { type: 'object', a: 1, b: 2 } }],
});

let database: TestDatabase;
let ours: AgentStore;
let theirs: AgentStore;
let receipts: ReceiptStore;

beforeAll(async () => {
  database = await openTestDatabase();
  const { db } = database;
  ours = new AgentStore({ db, tenantId: 'tnt_ours' });
  theirs = new AgentStore({ db, tenantId: 'tnt_theirs' });
  receipts = new ReceiptStore({ db, tenantId: 'tnt_ours' });
});
afterAll(() => database.close());

const create = (over: Partial<AgentSettings> = {}) =>
  ours.create({ settings: { ...settings, ...over }, metadata: { team: 'docs', old: '1' }, now });
const update = (id: string, change: AgentChange, expected?: number) =>
  ours.update(id, { change, expected, now: now + 1000 });
const coordinator = (...agents: string[]) => ({ type: 'coordinator' as const, agents });
const self = { type: 'self' as const };

describe('an update of an agent', () => {
  it('makes the next version of what is named and keeps the rest', async () => {
    const first = await create();
    const second = await update(first.id, {
      name: 'Editor',
      system: null,
      metadata: { team: 'web', old: null },
    });
    expect(second).toEqual({
      ...first,
      version: 2,
      name: 'Editor',
      system: null,
      metadata: { team: 'web' },
      updated_at: '2026-11-21T07:00:01.000Z',
    });
    expect(await ours.retrieve(first.id)).toEqual(second);
    expect(await ours.retrieve(first.id, 1), 'a version never changes').toEqual(first);
  });

  it('makes no version when nothing changes', async () => {
    const agent = await create({ multiagent: { type: 'coordinator', agents: [self] } });
    const tool = { type: 'custom', name: 't', description: 'd' } as const;
    const same: AgentChange = {
      name: 'Writer',
      tools: [{ input_schema: { b: 2, a: 1, type: 'object' }, ...tool }],
      multiagent: { type: 'coordinator', agents: [self] },
      metadata: { team: 'docs', none: null },
    };
    expect(await update(agent.id, same)).toEqual(agent);
    expect(await update(agent.id, {})).toEqual(agent);
  });

  it('refuses a version that is not current, even when nothing would change', async () => {
    const { id } = await create();
    await update(id, { name: 'Editor' }, 1);
    const refused = { code: 'conflict', message: expect.stringMatching(/at version 2, not 1/) };
    await expect(update(id, { name: 'Editor' }, 1)).rejects.toMatchObject(refused);
    expect((await ours.retrieve(id)).version).toBe(2);
  });

  it('replaces the model, but keeps the effort of the same one unless told otherwise', async () => {
    const { id } = await create();
    const model = async (change: AgentChange['model']) =>
      (await update(id, change === undefined ? {} : { model: change })).model;
    expect(await model({ id: 'some-model' })).toEqual({ id: 'some-model', effort: { type: 'high' } });
    expect(await model({ id: 'some-model', effort: null })).toEqual({ id: 'some-model' });
    expect(await model({ id: 'some-model', effort: { type: 'low' } })).toEqual({
      id: 'some-model',
      effort: { type: 'low' },
    });
    expect(await model({ id: 'other-model' })).toEqual({ id: 'other-model' });
  });

  it('lets none of several that come at once get lost', async () => {
    const { id } = await create();
    const keys = [...'abcdefghij'];
    await Promise.all(keys.map((key) => update(id, { metadata: { [key]: '1' } })));
    expect(await ours.retrieve(id)).toMatchObject({
      version: 11,
      metadata: { team: 'docs', old: '1', ...Object.fromEntries(keys.map((key) => [key, '1'])) },
    });
    const racers = await Promise.allSettled(['X', 'Y'].map((name) => update(id, { name }, 11)));
    expect(racers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await ours.retrieve(id)).version).toBe(12);
  });

  it('refuses archived and unknown agents, and those of another tenant', async () => {
    const { id } = await create();
    const change = { change: { name: 'Theirs' }, now };
    await expect(theirs.update(id, change)).rejects.toMatchObject({ code: 'not_found' });
    await expect(ours.update('agent_none', change)).rejects.toMatchObject({ code: 'not_found' });
    await ours.archive(id, now);
    await expect(update(id, { name: 'Late' })).rejects.toMatchObject({ code: 'invalid_request' });
    expect((await ours.retrieve(id)).version).toBe(1);
  });

  it('is answered again when it is repeated with its key', async () => {
    const { id } = await create();
    const claim: Claim = { name: 'once', by: 'key', fingerprint: 'a body', mayRepeat: true };
    const change = { name: 'Editor' };
    const once = () =>
      receipts.once(claim, now, (kept) => ours.update(id, { change, expected: 1, now }, kept));
    const [first, again] = [await once(), await once()];
    expect(again).toEqual({ reply: first.reply, replayed: true });
    expect(first.reply).toMatchObject({ version: 2, name: 'Editor' });
  });
});

describe('an updated roster', () => {
  it('keeps the versions it pinned, and follows its owner', async () => {
    const called = await create();
    const lead = await create({ multiagent: { type: 'coordinator', agents: [called.id, self] } });
    await update(called.id, { name: 'Newer' });
    const { multiagent } = await update(lead.id, { name: 'Lead' });
    expect(rosterOf(multiagent)).toEqual([
      { type: 'agent', id: called.id, version: 1 },
      { type: 'agent', id: lead.id, version: 2 },
    ]);
    const repinned = await update(lead.id, { multiagent: coordinator(called.id) });
    expect(rosterOf(repinned.multiagent)).toEqual([{ type: 'agent', id: called.id, version: 2 }]);
    expect((await update(lead.id, { multiagent: null })).multiagent).toBeNull();
  });

  it('can be sent back as it was read, also when an agent in it was archived since', async () => {
    const called = await create();
    const lead = await create({ multiagent: { type: 'coordinator', agents: [called.id, self] } });
    await ours.archive(called.id, now);
    expect(await update(lead.id, { multiagent: lead.multiagent })).toEqual(lead);
    expect(await update(lead.id, { name: 'Lead' })).toMatchObject({ version: 2 });
    const other = await create();
    await expect(update(other.id, { multiagent: coordinator(called.id) })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});

describe('the versions of an agent', () => {
  it('are listed newest first, page by page, each as it was', async () => {
    const first = await create();
    const made = [first];
    for (const name of ['B', 'C', 'D', 'E']) made.unshift(await update(first.id, { name }));
    const seen = [];
    let page: string | undefined;
    do {
      const answer = await ours.versions(first.id, { limit: 2, page });
      seen.push(...answer.data);
      page = answer.next_page ?? undefined;
    } while (page);
    expect(seen).toEqual(made);
  });

  it('are not found for unknown agents and those of another tenant', async () => {
    const { id } = await create();
    const refused = { code: 'not_found' };
    await expect(ours.versions('agent_none', { limit: 2 })).rejects.toMatchObject(refused);
    await expect(theirs.versions(id, { limit: 2 })).rejects.toMatchObject(refused);
  });

  it('refuse a cursor of another agent', async () => {
    const [one, other] = [await create(), await create()];
    await update(one.id, { name: 'B' });
    const { next_page } = await ours.versions(one.id, { limit: 1 });
    await expect(ours.versions(other.id, { limit: 1, page: next_page ?? '' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });
});

describe('lists of large agents', () => {
  it('end a page early and miss none', async () => {
    const mine = new AgentStore({ db: database.db, tenantId: 'tnt_large' });
    const tool = { type: 'custom' as const, name: 't', input_schema: { type: 'object' as const } };
    const large = { ...settings, tools: [{ ...tool, description: 'd'.repeat(850_000) }] };
    const made: string[] = [];
    for (let i = 0; i < 6; i++) {
      made.unshift((await mine.create({ settings: large, metadata: {}, now: now + i })).id);
    }
    const [id = ''] = made;
    for (let i = 0; i < 5; i++) await mine.update(id, { change: { name: `Name ${i}` }, now });
    const bounded = { limit: 100, includeArchived: false, created: {} };
    expect(
      await pagesOf(
        (page) => mine.list({ ...bounded, page }),
        (agent) => agent.id,
      ),
    ).toEqual([made.slice(0, 5), made.slice(5)]);
    expect(
      await pagesOf(
        (page) => mine.versions(id, { limit: 100, page }),
        (agent) => agent.version,
      ),
    ).toEqual([[6, 5, 4, 3, 2], [1]]);
  }, 60_000);

  async function pagesOf<T>(read: (page: string | undefined) => Promise<Page<Agent>>, pick: (a: Agent) => T) {
    const pages: T[][] = [];
    let page: string | undefined;
    do {
      const answer = await read(page);
      pages.push(answer.data.map(pick));
      page = answer.next_page ?? undefined;
    } while (page);
    return pages;
  }
});
