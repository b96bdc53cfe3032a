// What is told of agents, environments and new sessions, and what is not.
import { asc, eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OPEN_CLOUD } from './environments.ts';
import { type Stores, stores } from './stores.ts';
import { outbox } from './tables/outbox.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const settings = plainAgent('Writer');
const environment = {
  name: 'Open',
  description: null,
  config: OPEN_CLOUD,
  metadata: {},
  scope: 'organization' as const,
  now,
};
const TENANT = 'tnt_told';

let database: TestDatabase;
let ours: Stores;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, TENANT);
  const endpoint = {
    id: 'whep_1',
    url: 'https://example.com/',
    name: '',
    description: '',
    secret: 'sealed',
    now,
  };
  await ours.webhooks.create({ ...endpoint, enabledEvents: ['*'] });
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.delete(outbox);
});

async function told(): Promise<[type: string, id: string][]> {
  const rows = await database.db
    .select()
    .from(outbox)
    .where(eq(outbox.tenantId, TENANT))
    .orderBy(asc(outbox.id));
  return rows.map(({ type, subject }) => [type, subject.id]);
}

describe('an agent', () => {
  it('is told of when it is made, changed and archived, and not when nothing happens', async () => {
    const { id } = await ours.agents.create({ settings, metadata: {}, now });
    await ours.agents.update(id, { change: { name: 'Writer' }, now: now + 1 });
    expect(await told()).toEqual([['agent.created', id]]);
    await ours.agents.update(id, { change: { name: 'Author' }, now: now + 2 });
    await ours.agents.archive(id, now + 3);
    await ours.agents.archive(id, now + 4);
    await ours.agents.archive('agent_none', now + 5).catch(() => null);
    expect(await told()).toEqual([
      ['agent.created', id],
      ['agent.updated', id],
      ['agent.archived', id],
    ]);
  });

  it('is told of once by requests that race to change it', async () => {
    const { id } = await ours.agents.create({ settings, metadata: {}, now });
    const names = ['a', 'b', 'c'];
    await Promise.all(names.map((name) => ours.agents.update(id, { change: { name }, now: now + 1 })));
    const { version } = await ours.agents.retrieve(id);
    expect((await told()).filter(([type]) => type === 'agent.updated')).toHaveLength(version - 1);
  });
});

describe('an environment', () => {
  it('is told of when it is made, changed, archived and deleted, and not when nothing happens', async () => {
    const { id } = await ours.environments.create(environment);
    const { updated_at } = await ours.environments.update(id, { name: 'Open', metadata: {} }, now + 1);
    expect(Date.parse(updated_at)).toBe(now);
    await ours.environments.update(id, { metadata: { team: 'a' } }, now + 2);
    await ours.environments.archive(id, now + 3);
    await ours.environments.archive(id, now + 4);
    await ours.environments.delete(id, now + 5);
    await expect(ours.environments.delete(id, now + 6)).rejects.toMatchObject({ code: 'not_found' });
    expect(await told()).toEqual([
      ['environment.created', id],
      ['environment.updated', id],
      ['environment.archived', id],
      ['environment.deleted', id],
    ]);
  });

  it('is told of when it is the default, made on first need', async () => {
    await Promise.all([ours.environments.ensureDefault(now), ours.environments.ensureDefault(now)]);
    expect(await told()).toEqual([['environment.created', expect.stringMatching(/^env_/)]]);
  });
});

describe('a session', () => {
  it('is told of when it is made or forked, and not when it could not be', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    await ours.environments.ensureDefault(now);
    const about = { environmentId: null, title: null, metadata: {}, now: now + 1 };
    const made = await ours.sessions.create({ agent: { id: agent.id }, ...about });
    const unmade = ours.sessions.create({ agent: { id: 'agent_none' }, ...about });
    await expect(unmade).rejects.toMatchObject({ code: 'not_found' });
    const origin = { sessionId: made.id, eventId: 'sevt_1' };
    const fork = await ours.sessions.fork({ origin, title: null, metadata: {}, now: now + 2 });
    expect((await told()).filter(([type]) => type.startsWith('session.'))).toEqual([
      ['session.created', made.id],
      ['session.created', fork.id],
    ]);
  });

  it('is told of once when its creation is repeated', async () => {
    const agent = await ours.agents.create({ settings, metadata: {}, now });
    const claim = { name: 'once', by: 'key' as const, fingerprint: 'body', mayRepeat: true };
    const about = { agent: { id: agent.id }, environmentId: null, title: null, metadata: {}, now };
    for (let round = 0; round < 2; round++)
      await ours.receipts.once(claim, now, (kept) => ours.sessions.create(about, kept));
    expect((await told()).filter(([type]) => type === 'session.created')).toHaveLength(1);
  });
});
