import type { Claim } from '@capstan/schema/idempotency';
import { ZERO_USAGE } from '@capstan/schema/usage';
import { count, eq } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPEN_CLOUD } from './environments.ts';
import { type Stores, stores } from './stores.ts';
import { receipts } from './tables/receipts.ts';
import { sessions } from './tables/sessions.ts';
import { openTestDatabase, type TestDatabase } from './testing.ts';
import { plainAgent } from './testing-agent.ts';

const now = Date.parse('2026-11-21T07:00:00Z');
const DAY_MS = 24 * 3_600_000;
const settings = plainAgent('Writer — ünïcode "quoted" \\ \u2028', {
  system: 'Write well.\n',
  tools: [{ type: 'custom', name: 't', description: 'd', input_schema: { type: 'object', n: 1.5e21 } }],
});

let database: TestDatabase;
let ours: Stores;
let agentId: string;
let names = 0;

beforeAll(async () => {
  database = await openTestDatabase();
  ours = stores(database.db, 'tnt_ours');
  agentId = (await ours.agents.create({ settings, metadata: {}, now })).id;
  await ours.environments.ensureDefault(now);
});
afterAll(() => database.close());

const fresh = () => `name${++names}`;
const keyed = (name: string, fingerprint = 'a body'): Claim => ({
  name,
  by: 'key',
  fingerprint,
  mayRepeat: true,
});
const unkeyed = (name: string, retry: number): Claim => ({
  name,
  by: 'body',
  fingerprint: name,
  mayRepeat: retry > 0,
});

const session = (claim: Claim, { at = now, agent = agentId, mine = ours } = {}) =>
  mine.receipts.once(claim, at, (kept) =>
    mine.sessions.create(
      { agent: { id: agent }, environmentId: null, title: 'é', metadata: { a: '1' }, now: at },
      kept,
    ),
  );
const sessionCount = async () => {
  const [row] = await database.db
    .select({ total: count() })
    .from(sessions)
    .where(eq(sessions.tenantId, 'tnt_ours'));
  return row?.total ?? 0;
};

const SHOWN = { title: null, metadata: {}, budget: null, outcomeEvaluations: [], agentTools: null };

describe('a create with a key', () => {
  it('is answered again, byte for byte, whatever has become of what it made', async () => {
    const creates: ((name: string) => Promise<unknown>)[] = [
      (name) => session(keyed(name)),
      (name) =>
        ours.receipts.once(keyed(name), now, (claim) =>
          ours.agents.create({ settings, metadata: { k: 'v' }, now }, claim),
        ),
      (name) =>
        ours.receipts.once(keyed(name), now, (claim) =>
          ours.environments.create(
            {
              name: 'Open',
              description: null,
              config: OPEN_CLOUD,
              metadata: {},
              scope: 'organization',
              now,
            },
            claim,
          ),
        ),
    ];
    for (const create of creates) {
      const name = fresh();
      const first = await create(name);
      expect(first).toMatchObject({ replayed: false });
      expect(JSON.stringify(await create(name))).toBe(
        JSON.stringify(first).replace('"replayed":false', '"replayed":true'),
      );
    }
  });

  it('is answered again after its agent was archived', async () => {
    const agent = (await ours.agents.create({ settings, metadata: {}, now })).id;
    const name = fresh();
    const { reply } = await session(keyed(name), { agent });
    await ours.agents.archive(agent, now + 1);
    expect(await session(keyed(name), { agent })).toEqual({ reply, replayed: true });
  });

  it('is refused with another body', async () => {
    const name = fresh();
    await session(keyed(name, 'one'));
    await expect(session(keyed(name, 'two'))).rejects.toMatchObject({ code: 'idempotency_mismatch' });
  });

  it('leaves its key free when it is refused', async () => {
    const name = fresh();
    await expect(session(keyed(name, 'bad'), { agent: 'agent_none' })).rejects.toMatchObject({
      code: 'not_found',
    });
    expect((await session(keyed(name, 'good'))).replayed).toBe(false);
  });

  it('is remembered for 24 hours, and then forgotten with what else is old', async () => {
    const name = fresh();
    const first = await session(keyed(name));
    expect(await session(keyed(name), { at: now + DAY_MS - 1 })).toEqual({ ...first, replayed: true });
    const later = await session(keyed(name, 'another body'), { at: now + DAY_MS });
    expect(later.replayed).toBe(false);
    expect(later.reply.id).not.toBe(first.reply.id);
    const kept = await database.db.select({ at: receipts.expiresAt }).from(receipts);
    expect(kept.every(({ at }) => at > now + DAY_MS)).toBe(true);
  });

  it('is free once it is forgotten, even where more is old than one request sweeps', async () => {
    const name = fresh();
    await session(keyed(name));
    const old = Array.from({ length: 60 }, () => ({ name: fresh(), expiresAt: 0 }));
    const rest = { tenantId: 'tnt_ours', fingerprint: '', resourceId: '', reply: '{}' };
    // A statement takes 100 parameters.
    for (let at = 0; at < old.length; at += 10) {
      await database.db.insert(receipts).values(old.slice(at, at + 10).map((row) => ({ ...rest, ...row })));
    }
    expect((await session(keyed(name), { at: now + DAY_MS })).replayed).toBe(false);
  });

  it('of another tenant is another', async () => {
    const theirs = stores(database.db, 'tnt_theirs');
    const name = fresh();
    await session(keyed(name));
    const agent = (await theirs.agents.create({ settings, metadata: {}, now })).id;
    // Names differ by tenant; were they alike, nothing of the other tenant would be shown.
    await expect(session(keyed(name), { agent, mine: theirs })).rejects.toThrow();
    expect((await session(keyed(fresh()), { agent, mine: theirs })).replayed).toBe(false);
  });

  it('makes one thing, however many twins race', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(2), { minLength: 2, maxLength: 8 }), async (picks) => {
        const prefix = fresh();
        const before = await sessionCount();
        const outcomes = await Promise.all(
          picks.map(async (pick) => ({ pick, ...(await session(keyed(`${prefix}.${pick}`))) })),
        );
        const distinct = new Set(picks).size;
        expect(await sessionCount()).toBe(before + distinct);
        expect(outcomes.filter(({ replayed }) => !replayed)).toHaveLength(distinct);
        expect(new Set(outcomes.map(({ pick, reply }) => `${pick} ${JSON.stringify(reply)}`)).size).toBe(
          distinct,
        );
      }),
      { numRuns: 20 },
    );
  });
});

describe('a create whose client retries without a key', () => {
  it('is answered again within a minute, and made anew later', async () => {
    const name = fresh();
    const first = await session(unkeyed(name, 0));
    for (const retry of [1, 2]) {
      expect(await session(unkeyed(name, retry), { at: now + 59_000 })).toEqual({ ...first, replayed: true });
    }
    expect((await session(unkeyed(name, 3), { at: now + 60_000 })).replayed).toBe(false);
  });

  it('is made anew when the first try never arrived, and known by the next retry', async () => {
    const name = fresh();
    const made = await session(unkeyed(name, 1));
    expect(made.replayed).toBe(false);
    expect(await session(unkeyed(name, 2))).toEqual({ ...made, replayed: true });
  });

  it('is made twice when it is asked for twice', async () => {
    const name = fresh();
    const [one, two] = await Promise.all([session(unkeyed(name, 0)), session(unkeyed(name, 0))]);
    expect(one.reply.id).not.toBe(two.reply.id);
  });

  it('never gets what may be another caller’s: of two alike it makes a third', async () => {
    const name = fresh();
    const made = [await session(unkeyed(name, 0)), await session(unkeyed(name, 0))];
    const retried = await session(unkeyed(name, 1));
    expect(made.map(({ reply }) => reply.id)).not.toContain(retried.reply.id);
  });

  it('never gets a session that is in use: its answer has arrived', async () => {
    const name = fresh();
    const used = await session(unkeyed(name, 0));
    const index = {
      status: 'running' as const,
      usage: ZERO_USAGE,
      activeSeconds: 0,
      archivedAt: null,
      ...SHOWN,
    };
    await ours.sessions.putIndex(used.reply.id, { ...index, updatedAt: now + 5 });
    const latest = await session(unkeyed(name, 0));
    expect(await session(unkeyed(name, 1))).toEqual({ ...latest, replayed: true });
  });

  it('gets a session again that began by itself, and a fork', async () => {
    const content = [{ type: 'text' as const, text: 'Begin.' }];
    const plain = { environmentId: null, title: null, metadata: {}, now };
    const initialEvents = [{ type: 'user.message' as const, content }];
    const { id: source } = await ours.sessions.create({ ...plain, agent: { id: agentId } });
    const origin = { sessionId: source, eventId: 'sevt_1' };
    const creates: ((claim: Claim | undefined) => Promise<{ id: string }>)[] = [
      (kept) => ours.sessions.create({ ...plain, agent: { id: agentId }, initialEvents }, kept),
      (kept) => ours.sessions.fork({ ...plain, origin }, kept),
    ];
    for (const create of creates) {
      const name = fresh();
      const first = await ours.receipts.once(unkeyed(name, 0), now, create);
      const index = {
        status: 'running' as const,
        usage: ZERO_USAGE,
        activeSeconds: 0,
        archivedAt: null,
        ...SHOWN,
      };
      await ours.sessions.putIndex(first.reply.id, { ...index, updatedAt: now + 5 });
      const again = await ours.receipts.once(unkeyed(name, 1), now + 10, create);
      expect(again).toEqual({ ...first, replayed: true });
    }
  });
});
