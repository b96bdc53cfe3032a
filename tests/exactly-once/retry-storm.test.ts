// Replies get lost, and the official SDK asks again, by itself or because its application does: whatever was asked for
// is done once. The whole platform, with a line in between that cuts after the request was forwarded.
import { type Anthropic, ConflictError, UnprocessableEntityError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Conversation, count, eventsOf, type Ground, prepare } from '../support/conversation.ts';
import { chance, type Fate, Line, type Passage, pick } from '../support/line.ts';
import { kill } from '../support/processes.ts';
import { TestPlatform } from '../support/test-platform.ts';

const AT_ONCE = 16;
let platform: TestPlatform;
let line: Line;
/** Behind the line, as an application has it. */
let client: Anthropic;
/** Beside it. */
let direct: Anthropic;
let ground: Ground;

beforeAll(async () => {
  platform = await TestPlatform.open();
  line = await Line.open(platform.url, () => 'pass');
  client = platform.connect({ baseURL: line.url });
  direct = platform.connect();
  ground = await prepare(direct, 'claude-sonnet-4-6');
}, 240_000);

beforeEach(() => line.decide(() => 'pass'));

afterAll(async () => {
  line.close();
  await platform.close();
});

const range = Array.from({ length: AT_ONCE }, (_, index) => index);
const say = (text: string) => ({
  events: [{ type: 'user.message' as const, content: [{ type: 'text' as const, text }] }],
});
const keyed = (key: string) => ({ headers: { 'idempotency-key': key } });

/** Cuts posts, the first two tries of each, at places the seed chooses; every first one at least. */
function storm(seed: number): (passage: Passage) => Fate {
  const random = chance(seed);
  return ({ method, retry }) => {
    if (method !== 'POST' || retry > 1) return 'pass';
    return pick<Fate>(
      random,
      retry === 0 ? ['abandon', 'silence', 'head'] : ['abandon', 'silence', 'head', 'pass'],
    );
  };
}

async function titled(start: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for await (const { id, title } of direct.beta.sessions.list({ limit: 100 }))
    if (title?.startsWith(start)) found.set(title, [...(found.get(title) ?? []), id]);
  return found;
}

/** One message, one turn, one reply; and the id the sender was told is the one in the log. */
async function expectOneTurn(session: string, sent: string | undefined): Promise<void> {
  const events = await new Conversation(direct, session).ended();
  expect(events.filter(({ type }) => type === 'user.message').map(({ id }) => id)).toEqual([sent]);
  expect(count(events, 'session.status_running')).toBe(1);
  expect(count(events, 'agent.message')).toBe(1);
  expect(count(events, 'session.status_idle')).toBe(1);
}

/** As an application that has a key does: again, with the same key, until it has the answer. */
async function insist<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}

describe.each([1, 2, 3])('a storm of lost replies (seed %i)', (seed) => {
  it.each([
    { how: 'without a key', options: () => undefined },
    { how: 'with a key', options: (index: number) => keyed(`storm ${seed}.${index}`) },
  ])(
    'makes each session once and each turn once, $how',
    async ({ how, options }) => {
      const title = (index: number) => `Storm ${seed} ${how} ${index}`;
      line.decide(storm(seed));
      const sessions = await Promise.all(
        range.map((index) => client.beta.sessions.create({ ...ground, title: title(index) }, options(index))),
      );
      const sent = await Promise.all(
        sessions.map(({ id }, index) =>
          client.beta.sessions.events.send(id, say(`[[say message ${index}]]`), options(index)),
        ),
      );
      const made = await titled(`Storm ${seed} ${how}`);
      expect(made).toEqual(new Map(sessions.map(({ id }, index) => [title(index), [id]])));
      for (const [index, { id }] of sessions.entries()) await expectOneTurn(id, sent[index]?.data?.[0]?.id);
    },
    120_000,
  );
});

describe('a key', () => {
  it('makes one thing when answers break off in the middle and the application asks again', async () => {
    const random = chance(4);
    line.decide(({ method }) =>
      method === 'POST' && random() < 0.6 ? Math.floor(1 + random() * 200) : 'pass',
    );
    const sessions = await Promise.all(
      range.map((index) =>
        insist(() =>
          client.beta.sessions.create({ ...ground, title: `Broken ${index}` }, keyed(`broken ${index}`)),
        ),
      ),
    );
    const sent = await Promise.all(
      sessions.map(({ id }, index) =>
        insist(() => client.beta.sessions.events.send(id, say('[[say once]]'), keyed(`broken ${index}`))),
      ),
    );
    expect([...(await titled('Broken')).values()].flat().toSorted()).toEqual(
      sessions.map(({ id }) => id).toSorted(),
    );
    for (const [index, { id }] of sessions.entries()) await expectOneTurn(id, sent[index]?.data?.[0]?.id);
  }, 120_000);

  it('used by twins at once does one thing: each has its answer, after 409s that say to ask again', async () => {
    const from = line.passages.length;
    const twins = await Promise.all(
      range.map(() =>
        client.beta.sessions.create({ ...ground, title: 'Twin' }, keyed('twins')).withResponse(),
      ),
    );
    const [first] = twins;
    const session = first?.data.id ?? '';
    expect(new Set(twins.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    expect((await titled('Twin')).get('Twin')).toEqual([session]);
    const sends = await Promise.all(
      range.map(() =>
        client.beta.sessions.events.send(session, say('[[say once]]'), keyed('twins')).withResponse(),
      ),
    );
    expect(new Set(sends.map(({ data }) => JSON.stringify(data))).size).toBe(1);
    for (const answers of [twins, sends])
      expect(answers.filter(({ response }) => !response.headers.has('idempotent-replayed'))).toHaveLength(1);
    const statuses = new Set(line.passages.slice(from).map(({ status }) => status));
    expect([...statuses].filter((status) => status !== 200 && status !== 409)).toEqual([]);
    await expectOneTurn(session, sends[0]?.data.data?.[0]?.id);
  }, 120_000);

  it('whose first use is still under way is told so, and then gets the stored reply', async () => {
    const session = await direct.beta.sessions.create(ground);
    const impatient = platform.connect({ baseURL: line.url, maxRetries: 0 });
    const tries = await Promise.allSettled(
      range.map(() =>
        impatient.beta.sessions.events.send(session.id, say('[[say once]]'), keyed('impatient')),
      ),
    );
    for (const { reason } of tries.filter((tried) => tried.status === 'rejected')) {
      expect(reason).toBeInstanceOf(ConflictError);
      expect(reason.headers.get('retry-after')).toBe('1');
      expect(reason.headers.get('x-should-retry')).toBeNull();
    }
    const { data, response } = await client.beta.sessions.events
      .send(session.id, say('[[say once]]'), keyed('impatient'))
      .withResponse();
    expect(response.headers.get('idempotent-replayed')).toBe('true');
    await expectOneTurn(session.id, data.data?.[0]?.id);
  }, 60_000);

  it('used again with another body is refused with 422, also on a bad line, and does nothing', async () => {
    const session = await direct.beta.sessions.create({ ...ground, title: 'First' }, keyed('reused'));
    await direct.beta.sessions.events.send(session.id, say('[[say first]]'), keyed('reused'));
    const before = await new Conversation(direct, session.id).ended();
    line.decide(storm(5));
    const reuse = [
      client.beta.sessions.create({ ...ground, title: 'Second' }, keyed('reused')),
      client.beta.sessions.events.send(session.id, say('[[say second]]'), keyed('reused')),
    ];
    for (const refused of await Promise.allSettled(reuse)) {
      expect(refused).toMatchObject({ status: 'rejected', reason: expect.any(UnprocessableEntityError) });
      if (refused.status === 'rejected') expect(refused.reason.type).toBe('invalid_request_error');
    }
    expect(await titled('Second')).toEqual(new Map());
    expect(await eventsOf(direct, session.id)).toEqual(before);
  }, 60_000);
});

describe('workerd dies between the commit and the reply', () => {
  it.each([
    { how: 'without a key', options: undefined },
    { how: 'with a key', options: keyed('crashed') },
  ])(
    'what was asked for is done once, and the answer is that of the first time, $how',
    async ({ how, options }) => {
      const whenHeld = async (count: number) => {
        await line.held(count);
        kill(platform, 'workerd');
        line.decide(() => 'pass');
        line.drop();
      };
      const holdPosts = () => line.decide(({ method }) => (method === 'POST' ? 'hold' : 'pass'));
      const title = (index: number) => `Crash ${how} ${index}`;
      holdPosts();
      const creates = range.slice(0, 4).map((index) => {
        const headers = options && keyed(`crashed ${index}`);
        return client.beta.sessions.create({ ...ground, title: title(index) }, headers);
      });
      await whenHeld(creates.length);
      const sessions = await Promise.all(creates);
      expect(await titled(`Crash ${how}`)).toEqual(
        new Map(sessions.map(({ id }, index) => [title(index), [id]])),
      );
      holdPosts();
      const sends = sessions.map(({ id }) =>
        client.beta.sessions.events.send(id, say('[[ttft 300]] [[say once]]'), options).withResponse(),
      );
      await whenHeld(sends.length);
      for (const [index, { data, response }] of (await Promise.all(sends)).entries()) {
        expect(response.headers.get('idempotent-replayed')).toBe('true');
        const session = new Conversation(direct, sessions[index]?.id ?? '');
        const events = await session.ended();
        const messages = events.filter(({ type }) => type === 'user.message');
        expect(messages.map(({ id }) => id)).toEqual([data.data?.[0]?.id]);
        expect(count(events, 'agent.message')).toBe(1);
        expect(count(events, 'session.status_idle')).toBe(1);
      }
    },
    120_000,
  );
});
