import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Line, openLine, openModel } from './testing/network.ts';
import { openWorld, sha256Hex, type World } from './testing/world.ts';

let model: { url: string; close(): void };
let world: World;
let line: Line;
/** Behind the line, as an application has it. */
let client: Anthropic;
/** Beside it. */
let direct: Anthropic;
let agent: string;

beforeAll(async () => {
  model = await openModel();
  world = await openWorld({ modelUrl: model.url });
  line = await openLine(world.url);
  client = new Anthropic({ apiKey: world.key, baseURL: line.url, maxRetries: 2 });
  direct = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  agent = (await direct.beta.agents.create({ name: 'Scribe', model: 'some-model' })).id;
});
afterAll(async () => {
  line.close();
  await world.close();
  model.close();
});

const say = (text: string) => ({
  events: [{ type: 'user.message' as const, content: [{ type: 'text' as const, text }] }],
});

interface Post {
  key?: string;
  retry?: number;
  apiKey?: string;
}

async function post(path: string, body: unknown, { key, retry, apiKey = world.key }: Post = {}) {
  const response = await world.fetch(path, {
    method: 'POST',
    headers: {
      'x-api-key': apiKey,
      ...(key !== undefined && { 'idempotency-key': key }),
      ...(retry !== undefined && { 'x-stainless-retry-count': String(retry) }),
    },
    body: JSON.stringify(body),
  });
  const { status, headers } = response;
  return { status, headers, text: await response.text(), replayed: headers.get('idempotent-replayed') };
}

const idOf = ({ text }: { text: string }): string => JSON.parse(text).id;
const newSession = async () => idOf(await post('/v1/sessions', { agent }));
const eventsAt = (session: string) => `/v1/sessions/${session}/events`;

async function messagesOf(session: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const event of direct.beta.sessions.events.list(session, { types: ['user.message'] }))
    ids.push(event.id);
  return ids;
}

async function sessionsTitled(title: string): Promise<number> {
  let found = 0;
  for await (const session of direct.beta.sessions.list({ limit: 100 }))
    if (session.title === title) found += 1;
  return found;
}

describe('the official SDK on a line that loses replies', () => {
  it('makes one session, one agent and one environment, however often it had to ask', async () => {
    const environment_id = (await direct.beta.environments.create({ name: 'Open' })).id;
    for (const lost of [1, 2]) {
      const title = `Lost ${lost}`;
      const before = line.passed();
      line.loseNext(lost);
      const session = await client.beta.sessions.create({ agent, environment_id, title });
      expect(line.passed() - before).toBe(lost + 1);
      expect(await sessionsTitled(title)).toBe(1);
      expect((await direct.beta.sessions.retrieve(session.id)).title).toBe(title);
      line.loseNext(lost);
      const made = await client.beta.agents.create({ name: title, model: 'some-model' });
      line.loseNext(lost);
      const place = await client.beta.environments.create({ name: title });
      const listed = [
        ...(await direct.beta.agents.list({ limit: 100 })).data,
        ...(await direct.beta.environments.list({ limit: 100 })).data,
      ];
      expect(listed.filter(({ name }) => name === title).map(({ id }) => id)).toEqual([made.id, place.id]);
    }
  }, 60_000);

  it('sends one message, and is told the id it has in the log', async () => {
    const session = await newSession();
    for (const lost of [1, 2]) {
      line.loseNext(lost);
      const sent = await client.beta.sessions.events.send(session, say(`lost ${lost}`));
      const messages = await messagesOf(session);
      expect(messages).toHaveLength(lost);
      expect(sent.data?.map(({ id }) => id)).toEqual(messages.slice(-1));
    }
  }, 60_000);

  it('sends the same words twice when it is told to', async () => {
    const session = await newSession();
    await client.beta.sessions.events.send(session, say('again'));
    await client.beta.sessions.events.send(session, say('again'));
    await expect.poll(() => messagesOf(session)).toHaveLength(2);
  });

  it('with a key of its own makes one thing, too', async () => {
    const headers = { 'idempotency-key': 'by the application' };
    const environment_id = (await direct.beta.environments.create({ name: 'Open' })).id;
    line.loseNext(2);
    await client.beta.sessions.create({ agent, environment_id, title: 'Keyed' }, { headers });
    expect(await sessionsTitled('Keyed')).toBe(1);
  }, 60_000);
});

describe('a key', () => {
  it('gets the same bytes and status again, marked as replayed', async () => {
    const session = await newSession();
    const posts: [string, unknown][] = [
      ['/v1/agents', { name: 'Ünïcode', model: 'some-model', tools: [{ type: 'bash' }] }],
      ['/v1/environments', { name: 'Open' }],
      ['/v1/sessions', { agent, title: 'A "title"', metadata: { a: 'b' } }],
      [eventsAt(session), { events: [...say('one').events, ...say('two').events] }],
    ];
    for (const [path, body] of posts) {
      const first = await post(path, body, { key: 'same' });
      const again = await post(path, body, { key: 'same' });
      expect([first.status, first.replayed]).toEqual([200, null]);
      expect([again.status, again.replayed]).toEqual([200, 'true']);
      expect(again.text).toBe(first.text);
      expect(again.headers.get('request-id')).not.toBe(first.headers.get('request-id'));
    }
    expect(await messagesOf(session)).toHaveLength(2);
  });

  it('is known to a session that was put out of memory since', async () => {
    const session = await newSession();
    const first = await post(eventsAt(session), say('one'), { key: 'evicted' });
    await expect.poll(async () => (await direct.beta.sessions.retrieve(session)).status).toBe('idle');
    await world.evict(session);
    const again = await post(eventsAt(session), say('one'), { key: 'evicted' });
    expect([again.replayed, again.text]).toEqual(['true', first.text]);
    expect(await messagesOf(session)).toHaveLength(1);
  });

  it('with another body is refused with 422', async () => {
    for (const [path, one, two] of [
      ['/v1/sessions', { agent, title: 'one' }, { agent, title: 'two' }],
      [eventsAt(await newSession()), say('one'), say('two')],
    ] as const) {
      await post(path, one, { key: 'reused' });
      const refused = await post(path, two, { key: 'reused' });
      expect(refused.status).toBe(422);
      expect(JSON.parse(refused.text).error).toEqual({
        type: 'invalid_request_error',
        message: expect.stringMatching(/^idempotency-key: was used with another body/),
      });
      expect(refused.headers.get('x-should-retry')).toBeNull();
    }
  });

  it('that is none is refused with 400, and 255 characters are one', async () => {
    for (const key of ['', 'x'.repeat(256), 'tab\there', 'ümlaut']) {
      const refused = await post('/v1/environments', { name: 'x' }, { key });
      expect(refused.status, key).toBe(400);
      expect(JSON.parse(refused.text).error.message).toMatch(/^idempotency-key: expected 1 to 255 printable/);
    }
    expect((await post('/v1/environments', { name: 'x' }, { key: '~'.repeat(255) })).status).toBe(200);
  });

  it('is free again after a refusal', async () => {
    expect((await post('/v1/sessions', { agent: 5 }, { key: 'refused' })).status).toBe(400);
    expect((await post('/v1/sessions', { agent: 'agent_none' }, { key: 'refused' })).status).toBe(404);
    expect((await post('/v1/sessions', { agent }, { key: 'refused' })).status).toBe(200);
    const path = eventsAt(await newSession());
    const answer = { type: 'user.tool_confirmation', tool_use_id: 'none', result: 'allow' };
    expect((await post(path, { events: [answer] }, { key: 'refused' })).status).toBe(400);
    expect((await post(path, say('one'), { key: 'refused' })).replayed).toBeNull();
  });

  it('of another API key, of another tenant and at another path is another key', async () => {
    const other = { tenantId: 'tnt_default', name: 'Other', lastFour: 'ther', now: Date.now() };
    await world.keys.create({ ...other, hash: await sha256Hex('another key of the tenant') });
    const path = eventsAt(await newSession());
    const ids = [
      idOf(await post('/v1/environments', { name: 'x' }, { key: 'shared' })),
      idOf(
        await post('/v1/environments', { name: 'x' }, { key: 'shared', apiKey: 'another key of the tenant' }),
      ),
      idOf(await post('/v1/environments', { name: 'x' }, { key: 'shared', apiKey: world.strangerKey })),
      idOf(await post('/v1/agents', { name: 'x', model: 'm' }, { key: 'shared' })),
    ];
    expect(new Set(ids).size).toBe(4);
    await post(path, say('one'), { key: 'shared' });
    const apiKey = 'another key of the tenant';
    expect((await post(path, say('one'), { key: 'shared', apiKey })).replayed).toBeNull();
    expect((await post(eventsAt(await newSession()), say('one'), { key: 'shared' })).replayed).toBeNull();
    expect((await post(path, say('one'), { key: 'shared', apiKey: world.strangerKey })).status).toBe(404);
  });

  it('does one thing, however many ask at once: the others get its answer or are told to ask again', async () => {
    const session = await newSession();
    for (const [path, body] of [
      ['/v1/sessions', { agent, title: 'Raced' }],
      [eventsAt(session), say('raced')],
    ] as const) {
      const answers = await Promise.all(Array.from({ length: 12 }, () => post(path, body, { key: 'raced' })));
      const done = answers.filter(({ status }) => status === 200);
      expect(done.filter(({ replayed }) => replayed === null)).toHaveLength(1);
      expect(new Set(done.map(({ text }) => text)).size).toBe(1);
      for (const { status, headers } of answers.filter((answer) => !done.includes(answer))) {
        expect([status, headers.get('retry-after')]).toEqual([409, '1']);
        expect(headers.get('x-should-retry')).toBeNull();
      }
    }
    expect(await sessionsTitled('Raced')).toBe(1);
    expect(await messagesOf(session)).toHaveLength(1);
  });
});

describe('a retry without a key', () => {
  it('of a request that no SDK made, or that never arrived, is a request like any other', async () => {
    const path = eventsAt(await newSession());
    await post(path, say('plain'));
    expect((await post(path, say('plain'), { retry: 1 })).replayed).toBeNull();
    expect((await post(path, say('plain'), { retry: 2 })).replayed).toBe('true');
    expect((await post('/v1/sessions', { agent, title: 'Late' }, { retry: 1 })).replayed).toBeNull();
  });

  it('gets no session that is in use', async () => {
    const body = { agent, title: 'Used' };
    const first = idOf(await post('/v1/sessions', body, { retry: 0 }));
    expect(idOf(await post('/v1/sessions', body, { retry: 1 }))).toBe(first);
    await post(eventsAt(first), say('mine'));
    const shown = async () =>
      (await direct.beta.sessions.list({ limit: 100 })).data.find(({ id }) => id === first);
    const touched = async () => (await shown())?.updated_at !== (await shown())?.created_at;
    await expect.poll(touched).toBe(true);
    expect(idOf(await post('/v1/sessions', body, { retry: 1 }))).not.toBe(first);
  });
});
