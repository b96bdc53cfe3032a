import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeyStore } from './api-keys.ts';
import { LoginCodeStore } from './login-codes.ts';
import { type Stores, stores } from './stores.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const settings = plainAgent('Writer', { system: 'Write well.' });
const plain = { environmentId: null, title: null, metadata: {}, now };

let database: TestDatabase;
let ours: Stores;
let theirs: Stores;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, 'tnt_ours');
  theirs = stores(database.db, 'tnt_theirs');
});
afterAll(() => database.close());

describe('AgentStore', () => {
  it('gives back what was created, as version 1', async () => {
    const created = await ours.agents.create({ settings, metadata: { team: 'docs' }, now });
    expect(created).toMatchObject({ type: 'agent', version: 1, name: 'Writer', metadata: { team: 'docs' } });
    expect(created.created_at).toBe('2026-11-21T07:00:00.000Z');
    expect(await ours.agents.retrieve(created.id)).toEqual(created);
    expect(await ours.agents.retrieve(created.id, 1)).toEqual(created);
  });

  it('does not find unknown ids, unknown versions and agents of another tenant', async () => {
    const { id } = await ours.agents.create({ settings, metadata: {}, now });
    const refused = { code: 'not_found' };
    await expect(ours.agents.retrieve('agent_none')).rejects.toMatchObject(refused);
    await expect(ours.agents.retrieve(id, 2)).rejects.toMatchObject(refused);
    await expect(theirs.agents.retrieve(id)).rejects.toMatchObject(refused);
    await expect(theirs.agents.archive(id, now)).rejects.toMatchObject(refused);
    expect((await ours.agents.retrieve(id)).archived_at).toBeNull();
  });

  it('keeps the first archive time and leaves archived agents out of lists', async () => {
    const mine = stores(database.db, 'tnt_archive');
    const { id } = await mine.agents.create({ settings, metadata: {}, now });
    const first = await mine.agents.archive(id, now + 1000);
    expect(await mine.agents.archive(id, now + 9000)).toEqual(first);
    expect((await mine.agents.list({ limit: 10, includeArchived: false, created: {} })).data).toEqual([]);
    expect((await mine.agents.list({ limit: 10, includeArchived: true, created: {} })).data).toEqual([first]);
  });

  it('lists newest first, page by page', async () => {
    const mine = stores(database.db, 'tnt_pages');
    const made: string[] = [];
    for (let i = 0; i < 5; i++) {
      made.unshift((await mine.agents.create({ settings, metadata: {}, now: now + i })).id);
    }
    const seen: string[] = [];
    let page: string | undefined;
    do {
      const answer = await mine.agents.list({ limit: 2, page, includeArchived: false, created: {} });
      seen.push(...answer.data.map(({ id }) => id));
      page = answer.next_page ?? undefined;
    } while (page);
    expect(seen).toEqual(made);
  });
});

describe('EnvironmentStore', () => {
  it('makes one default environment when many need it at once', async () => {
    const mine = stores(database.db, 'tnt_race');
    const agent = await mine.agents.create({ settings, metadata: {}, now });
    const create = () => mine.sessions.create({ ...plain, agent: { id: agent.id } });
    const made = await Promise.all(Array.from({ length: 8 }, create));
    expect(new Set(made.map((session) => session.environment_id)).size).toBe(1);
    expect((await mine.environments.list({ limit: 10, includeArchived: true })).data).toHaveLength(1);
  });
});

describe('SessionStore', () => {
  it('keeps the agent as it was at creation', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const created = await ours.sessions.create({
      ...plain,
      agent: { id: agent.id, version: 1 },
      title: 'First',
      metadata: { ticket: '7' },
    });
    expect(created).toMatchObject({ status: 'idle', title: 'First', agent: { id: agent.id, version: 1 } });
    const filter = {
      limit: 1,
      order: 'desc' as const,
      includeArchived: false,
      created: {},
      agentId: agent.id,
    };
    expect((await ours.sessions.list(filter, now)).data, 'stored as it was answered').toEqual([created]);
    await ours.agents.archive(agent.id, now);
    const loaded = await ours.sessions.load(created.id);
    expect(loaded).toMatchObject({
      tenantId: 'tnt_ours',
      sessionId: created.id,
      agent: created.agent,
      environment: { type: 'cloud', networking: { type: 'unrestricted' } },
    });
    expect(loaded?.threadId).toMatch(/^sthr_/);
  });

  it('refuses unknown and archived agents and environments', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const create = (over: object) => ours.sessions.create({ ...plain, agent: { id: agent.id }, ...over });
    await expect(create({ agent: { id: 'agent_none' } })).rejects.toMatchObject({ code: 'not_found' });
    await expect(create({ agent: { id: agent.id, version: 7 } })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(create({ environmentId: 'env_none' })).rejects.toMatchObject({
      code: 'not_found',
      reason: 'environment_not_found',
    });
    await ours.agents.archive(agent.id, now);
    await expect(create({})).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('hides sessions from other tenants', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const { id } = await ours.sessions.create({ ...plain, agent: { id: agent.id } });
    await expect(theirs.sessions.create({ ...plain, agent: { id: agent.id } })).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await theirs.sessions.load(id)).toBeNull();
    await theirs.sessions.putIndex(id, { ...indexAt(now + 5), status: 'terminated' });
    expect((await ours.sessions.find(id))?.status).toBe('idle');
    expect(
      (await theirs.sessions.list({ limit: 10, order: 'desc', includeArchived: true, created: {} }, now))
        .data,
    ).toEqual([]);
  });

  it('lets the index move forward only', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const { id } = await ours.sessions.create({ ...plain, agent: { id: agent.id } });
    await ours.sessions.putIndex(id, { ...indexAt(now + 20), status: 'running' });
    await ours.sessions.putIndex(id, { ...indexAt(now + 10), status: 'rescheduling' });
    expect((await ours.sessions.find(id))?.status).toBe('running');
    await ours.sessions.putIndex(id, { ...indexAt(now + 20), status: 'idle' });
    expect((await ours.sessions.find(id))?.status).toBe('idle');
  });

  it('keeps what a session was created with apart from what it says of itself', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const budget = { type: 'limit' as const, max_list_cost: { amount: '500', currency: 'USD' as const } };
    const content = [{ type: 'text' as const, text: 'Begin.' }];
    const initialEvents = [{ type: 'user.message' as const, content }];
    const created = await ours.sessions.create({ ...plain, agent: { id: agent.id }, budget, initialEvents });
    expect(created).toMatchObject({ status: 'running', budget, outcome_evaluations: [] });
    expect(await ours.sessions.load(created.id)).toMatchObject({ budget, initialEvents, origin: null });
    const evaluation = {
      type: 'outcome_evaluation' as const,
      outcome_id: 'outc_1',
      description: 'A page',
      iteration: 0,
      result: 'satisfied' as const,
      explanation: 'It is one.',
      completed_at: at(30),
    };
    const truth = {
      title: 'Named',
      metadata: { a: 'b' },
      budget: null,
      outcomeEvaluations: [evaluation],
      agentTools: null,
    };
    await ours.sessions.putIndex(created.id, { ...indexAt(now + 30), status: 'idle', ...truth });
    const filter = { limit: 1, order: 'desc' as const, includeArchived: false, created: {} };
    const [listed] = (await ours.sessions.list({ ...filter, agentId: agent.id }, now)).data;
    expect(listed).toMatchObject({ status: 'idle', title: 'Named', metadata: { a: 'b' }, budget: null });
    expect(listed?.outcome_evaluations).toEqual([evaluation]);
  });

  it('refuses initial events that do not fit beside the agent, and takes them beside a smaller one', async () => {
    const small = await ours.agents.create({ settings, metadata: {}, now });
    const long = { ...settings, system: 'x'.repeat(500_000) };
    const large = await ours.agents.create({ settings: long, metadata: {}, now });
    const sendTo = ({ id }: { id: string }, length: number) => {
      const content = [{ type: 'text' as const, text: 'x'.repeat(length) }];
      const initialEvents = [{ type: 'user.message' as const, content }];
      return ours.sessions.create({ ...plain, agent: { id }, initialEvents });
    };
    const refused = { code: 'too_large', message: expect.stringMatching(/^initial_events/) };
    await expect(sendTo(small, 1_000_000)).rejects.toMatchObject(refused);
    await expect(sendTo(large, 500_000)).rejects.toMatchObject(refused);
    expect((await sendTo(small, 500_000)).status).toBe('running');
    expect((await sendTo(large, 300_000)).status).toBe('running');
  });

  it('forks a session with copies of its agent and environment, for its own tenant only', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const source = await ours.sessions.create({ ...plain, agent: { id: agent.id } });
    await ours.agents.archive(agent.id, now);
    const origin = { sessionId: source.id, eventId: 'sevt_1' };
    const fork = await ours.sessions.fork({ origin, title: 'Again', metadata: {}, now: now + 1 });
    expect(fork).toMatchObject({
      status: 'idle',
      title: 'Again',
      agent: source.agent,
      environment_id: source.environment_id,
      budget: null,
      capstan: { forked_from: { session_id: source.id, event_id: 'sevt_1' }, sandbox_snapshot: null },
    });
    expect(await ours.sessions.load(fork.id)).toMatchObject({ origin, agent: source.agent });
    const filter = { limit: 5, order: 'asc' as const, includeArchived: false, created: {} };
    const listed = await ours.sessions.list({ ...filter, agentId: agent.id }, now);
    expect(listed.data.map(({ id }) => id)).toEqual([source.id, fork.id]);
    await expect(theirs.sessions.fork({ origin, title: null, metadata: {}, now })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('knows who holds a snapshot that a session and its forks begin with, until the last lets it go', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const source = await ours.sessions.create({ ...plain, agent: { id: agent.id } });
    const taken = { imageId: 'im-shared', snapshotId: 'snap_1', takenAt: now, upTo: null, marked: true };
    const origin = { sessionId: source.id, eventId: 'sevt_1', snapshot: taken };
    const forked = () => ours.sessions.fork({ origin, title: null, metadata: {}, now: now + 1 });
    const { snapshotHolders } = ours;
    // Nobody holds it yet: there is nothing to share.
    const stray = await forked();
    expect(await snapshotHolders.letGo('im-shared', stray.id)).toBe(true);
    await snapshotHolders.hold('im-shared', source.id);
    await snapshotHolders.hold('im-shared', source.id);
    const [one, other] = [await forked(), await forked()];
    expect(one.capstan.sandbox_snapshot).toEqual({ id: 'snap_1', taken_at: new Date(now).toISOString() });
    expect(await ours.sessions.load(one.id)).toMatchObject({ origin });
    expect(await theirs.snapshotHolders.letGo('im-shared', source.id)).toBe(true);
    expect(await snapshotHolders.letGo('im-shared', source.id)).toBe(false);
    expect(await snapshotHolders.letGo('im-shared', one.id)).toBe(false);
    expect(await snapshotHolders.letGo('im-shared', one.id)).toBe(false);
    expect(await snapshotHolders.letGo('im-shared', other.id)).toBe(true);
    const late = await forked();
    expect(await snapshotHolders.letGo('im-shared', late.id)).toBe(true);
  });

  it('filters lists by agent and status and walks them both ways', async () => {
    const mine = stores(database.db, 'tnt_lists');
    const agent = await mine.agents.create({ settings, metadata: {}, now });
    const other = await mine.agents.create({ settings, metadata: {}, now });
    const ids: string[] = [];
    for (let i = 0; i < 4; i++) {
      const { id } = await mine.sessions.create({ ...plain, agent: { id: agent.id }, now: now + i });
      ids.push(id);
    }
    const odd = await mine.sessions.create({ ...plain, agent: { id: other.id }, now: now + 9 });
    await mine.sessions.putIndex(odd.id, { ...indexAt(now + 10), status: 'running' });
    const base = { limit: 2, order: 'asc' as const, includeArchived: false, created: {} };

    const running = await mine.sessions.list({ ...base, statuses: ['running'] }, now);
    expect(running.data.map(({ id }) => id)).toEqual([odd.id]);
    const dated = { ...base, created: { 'created_at[gt]': at(0), 'created_at[lte]': at(2) } };
    expect((await mine.sessions.list(dated, now)).data.map(({ id }) => id)).toEqual(ids.slice(1, 3));
    const late = { ...base, created: { 'created_at[gte]': at(3), 'created_at[lt]': at(9) } };
    expect((await mine.sessions.list(late, now)).data.map(({ id }) => id)).toEqual(ids.slice(3));
    const first = await mine.sessions.list({ ...base, agentId: agent.id }, now);
    expect(first.prev_page).toBeNull();
    const second = await mine.sessions.list({ ...base, agentId: agent.id, page: first.next_page ?? '' }, now);
    const bounded = (created: object) =>
      mine.sessions.list({ ...base, agentId: agent.id, page: first.next_page ?? '', created }, now);
    const atIt = { 'created_at[gte]': at(1), 'created_at[lte]': at(4) };
    expect((await bounded(atIt)).data.map(({ id }) => id)).toEqual(ids.slice(2, 4));
    for (const elsewhere of [{ 'created_at[gt]': at(1) }, { 'created_at[lt]': at(1) }])
      await expect(bounded(elsewhere)).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(/^page: the created_at bounds/),
      });
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(ids);
    expect(second.next_page).toBeNull();
    const back = await mine.sessions.list({ ...base, agentId: agent.id, page: second.prev_page ?? '' }, now);
    expect(back.data).toEqual(first.data);
    expect(back.prev_page).toBeNull();
  });

  function at(ms: number): string {
    return new Date(now + ms).toISOString();
  }

  function indexAt(updatedAt: number) {
    const usage = {
      input_tokens: 1,
      output_tokens: 1,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 0 },
      active_seconds: 1.5,
      list_cost: null,
      server_tool_use: null,
    };
    const settings = { title: null, metadata: {}, budget: null, outcomeEvaluations: [], agentTools: null };
    return { usage, activeSeconds: 1.5, updatedAt, archivedAt: null, ...settings };
  }
});

describe('ApiKeyStore', () => {
  it('finds a key by hash and by id until it is revoked', async () => {
    const keys = new ApiKeyStore(database.db);
    const made = await keys.create({
      tenantId: 'tnt_default',
      name: 'CI',
      hash: 'a'.repeat(64),
      lastFour: 'wxyz',
      now,
    });
    expect(await keys.findByHash('a'.repeat(64))).toEqual(made);
    expect(await keys.findById(made.id)).toEqual(made);
    await keys.revoke(made.id, now);
    expect(await keys.findByHash('a'.repeat(64))).toBeNull();
    expect(await keys.findById(made.id)).toBeNull();
  });
});

describe('LoginCodeStore', () => {
  const owner = { tenantId: 'tnt_default', apiKeyId: 'key_1', apiKeyName: 'CI', apiKeyLastFour: 'wxyz' };

  it('gives a code to one of those who try at once', async () => {
    const codes = new LoginCodeStore(database.db);
    await codes.put({ hash: 'once', expiresAt: now + 1000, ...owner });
    const taken = await Promise.all(Array.from({ length: 6 }, () => codes.take('once', now)));
    expect(taken.filter((code) => code !== null)).toHaveLength(1);
  });

  it('refuses an expired code and sweeps it', async () => {
    const codes = new LoginCodeStore(database.db);
    await codes.put({ hash: 'old', expiresAt: now, ...owner });
    expect(await codes.take('old', now)).toBeNull();
    expect(await codes.sweep(now)).toBe(1);
    expect(await codes.sweep(now)).toBe(0);
  });
});
