// What a client can get wrong in a session: each is a typed 4xx in the envelope, nothing is lost, and no turn is started.
// Over HTTP, on the whole platform, with two tenants.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, eventsOf, type Ground, type SessionEvents } from '../support/conversation.ts';
import { addTenant } from '../support/second-tenant.ts';
import { TestPlatform } from '../support/test-platform.ts';

/** Something to be wrong about: a session that waits for a permission and for a client's result. */
interface Asking {
  session: string;
  confirmation: string;
  custom: string;
  cursor: string;
}

let platform: TestPlatform;
let client: Anthropic;
let stranger: Anthropic;
let ground: Ground;
let own: Asking;
let others: Asking;
let strangers: Asking;
/** Answered and at rest. */
let answered: Asking;
let archived: string;

beforeAll(async () => {
  platform = await TestPlatform.open();
  await platform.stop();
  const strangerKey = addTenant(platform.state);
  await platform.start();
  client = connect(platform.apiKey);
  stranger = connect(strangerKey);
  ground = await prepare(client);
  own = await ask(client, ground);
  others = await ask(client, ground);
  strangers = await ask(stranger, await prepare(stranger));
  answered = await ask(client, ground);
  await client.beta.sessions.events.send(answered.session, {
    events: [deny(answered.confirmation), result(answered.custom)],
  });
  await new Conversation(client, answered.session).until((events) => restsAs(events, 'end_turn'));
  archived = (await client.beta.sessions.create(ground)).id;
  await client.beta.sessions.archive(archived);
}, 240_000);

afterAll(() => platform.close());

const connect = (apiKey: string) => platform.connect({ apiKey, maxRetries: 0 });

async function prepare(from: Anthropic): Promise<Ground> {
  const agent = await from.beta.agents.create({
    name: 'Careful',
    model: 'some-model',
    tools: [
      { type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } },
      { type: 'custom', name: 'ask_home', description: 'Asks.', input_schema: { type: 'object' } },
    ],
  });
  const environment = await from.beta.environments.create({ name: 'Anywhere' });
  return { agent: agent.id, environment_id: environment.id };
}

async function ask(from: Anthropic, on: Ground): Promise<Asking> {
  const text = '[[parallel]] [[tool bash {"command":"true"}]] [[tool ask_home {}]] [[say done]]';
  const conversation = await Conversation.begin(from, on, text);
  const events = await conversation.until((seen) => restsAs(seen, 'requires_action'));
  const id = (type: string) => events.find((event) => event.type === type)?.id ?? '';
  const page = await from.beta.sessions.events.list(conversation.id, { limit: 2 });
  return {
    session: conversation.id,
    confirmation: id('agent.tool_use'),
    custom: id('agent.custom_tool_use'),
    cursor: page.next_page ?? '',
  };
}

function restsAs(events: SessionEvents, reason: string): boolean {
  const last = events.at(-1);
  return last?.type === 'session.status_idle' && last.stop_reason.type === reason;
}

type Param = Anthropic.Beta.Sessions.BetaManagedAgentsEventParams;

const allow = (id: string): Param => ({ type: 'user.tool_confirmation', tool_use_id: id, result: 'allow' });
const deny = (id: string): Param => ({ type: 'user.tool_confirmation', tool_use_id: id, result: 'deny' });
const result = (id: string): Param => ({ type: 'user.custom_tool_result', custom_tool_use_id: id });
const message = (text: string): Param => ({ type: 'user.message', content: [{ type: 'text', text }] });
const image = (bytes: number) => ({
  type: 'user.message',
  content: [
    {
      type: 'image',
      source: { type: 'base64', media_type: 'image/png', data: Buffer.alloc(bytes, 7).toString('base64') },
    },
  ],
});

interface Refusal {
  status: number;
  type: string;
  message: RegExp;
  noRetry?: true;
}

const invalid = (text: RegExp): Refusal => ({ status: 400, type: 'invalid_request_error', message: text });
const unknown: Refusal = { status: 404, type: 'not_found_error', message: /^No session / };
const tooLarge = (text: RegExp): Refusal => ({ status: 413, type: 'request_too_large', message: text });

async function expectRefusal(response: Response, refusal: Refusal): Promise<void> {
  const body = await response.json();
  expect([response.status, body]).toEqual([
    refusal.status,
    {
      type: 'error',
      error: expect.objectContaining({ type: refusal.type, message: expect.stringMatching(refusal.message) }),
      request_id: response.headers.get('request-id'),
    },
  ]);
  if (refusal.noRetry) expect(response.headers.get('x-should-retry')).toBe('false');
}

/** Everything a refusal could have changed. */
async function everything() {
  const seen = [];
  for (const { session } of [own, others, answered])
    seen.push(await eventsOf(client, session), (await client.beta.sessions.retrieve(session)).status);
  seen.push(await eventsOf(stranger, strangers.session), await eventsOf(client, archived));
  return seen;
}

const post = (session: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${platform.url}/v1/sessions/${session}/events`, {
    method: 'POST',
    headers: { 'x-api-key': platform.apiKey, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${platform.url}${path}`, { headers: { 'x-api-key': platform.apiKey, ...headers } });

interface Send {
  what: string;
  /** Where it is sent; to the session that asks when absent. */
  to?: () => string;
  events: () => unknown[];
  refusal: Refusal;
}

const notOpen = invalid(/^events\.0\.(custom_)?tool_use_id: /);
const SENDS: Send[] = [
  {
    what: 'an answer to an id that never was',
    events: () => [allow('sevt_00000000000000000000000000')],
    refusal: notOpen,
  },
  { what: 'an answer to something that is no id', events: () => [allow('')], refusal: notOpen },
  {
    what: 'a decision that was made already',
    to: () => answered.session,
    events: () => [allow(answered.confirmation)],
    refusal: notOpen,
  },
  {
    what: 'a result that was given already',
    to: () => answered.session,
    events: () => [result(answered.custom)],
    refusal: notOpen,
  },
  {
    what: 'a decision on another session’s call',
    events: () => [allow(others.confirmation)],
    refusal: notOpen,
  },
  { what: 'a result for another session’s call', events: () => [result(others.custom)], refusal: notOpen },
  {
    what: 'a decision on another tenant’s call',
    events: () => [allow(strangers.confirmation)],
    refusal: notOpen,
  },
  { what: 'a result for another tenant’s call', events: () => [result(strangers.custom)], refusal: notOpen },
  { what: 'a decision where a result is awaited', events: () => [allow(own.custom)], refusal: notOpen },
  {
    what: 'a result where a decision is awaited',
    events: () => [result(own.confirmation)],
    refusal: notOpen,
  },
  {
    what: 'two decisions on one call in one send',
    events: () => [allow(own.confirmation), deny(own.confirmation)],
    refusal: invalid(/^events\.1\.tool_use_id: /),
  },
  {
    what: 'a good answer and a bad one',
    events: () => [result(own.custom), allow(others.confirmation)],
    refusal: invalid(/^events\.1\.tool_use_id: /),
  },
  {
    what: 'a message and an answer to nothing',
    to: () => answered.session,
    events: () => [message('hello'), allow('sevt_00000000000000000000000000')],
    refusal: invalid(/^events\.1\.tool_use_id: /),
  },
  {
    what: 'the result of a tool that the sandbox runs',
    events: () => [{ type: 'user.tool_result', tool_use_id: own.confirmation }],
    refusal: invalid(/^events\.0: .*self-hosted/),
  },
  {
    what: 'an interrupt of a thread that is none',
    events: () => [{ type: 'user.interrupt', session_thread_id: 'sthr_00000000000000000000000000' }],
    refusal: invalid(/^events\.0\.session_thread_id: /),
  },
  {
    what: 'a system message alone',
    to: () => answered.session,
    events: () => [{ type: 'system.message', content: [{ type: 'text', text: 'x' }] }],
    refusal: invalid(/^events\.0: /),
  },
  {
    what: 'an outcome without a rubric',
    to: () => answered.session,
    events: () => [{ type: 'user.define_outcome', description: 'x' }],
    refusal: invalid(/^(body\.)?events\.0\.rubric: /),
  },
  {
    what: 'an event only agents make',
    events: () => [{ type: 'agent.message', content: [] }],
    refusal: invalid(/events\.0/),
  },
  {
    what: 'a message of nothing',
    events: () => [{ type: 'user.message', content: [] }],
    refusal: invalid(/events\.0\.content/),
  },
  { what: 'no events', events: () => [], refusal: invalid(/events/) },
  {
    what: '10,000 events',
    to: () => answered.session,
    events: () => Array.from({ length: 10_000 }, (_, index) => message(`number ${index}`)),
    refusal: invalid(/events: .*\d/),
  },
  {
    what: 'an image of 30 MB',
    to: () => answered.session,
    events: () => [image(30_000_000)],
    refusal: tooLarge(/bytes/),
  },
  {
    what: 'an image of 10 MB',
    to: () => answered.session,
    events: () => [image(10_000_000)],
    refusal: tooLarge(/bytes|MB/),
  },
  {
    what: 'a message to an archived session',
    to: () => archived,
    events: () => [message('hello')],
    refusal: { status: 409, type: 'invalid_request_error', message: /archived/, noRetry: true },
  },
  {
    what: 'an answer to an archived session',
    to: () => archived,
    events: () => [allow(own.confirmation)],
    refusal: { status: 409, type: 'invalid_request_error', message: /archived/, noRetry: true },
  },
  {
    what: 'a decision to another tenant’s session',
    to: () => strangers.session,
    events: () => [allow(strangers.confirmation)],
    refusal: unknown,
  },
  {
    what: 'a message to a session that never was',
    to: () => 'sesn_00000000000000000000000000',
    events: () => [message('hello')],
    refusal: unknown,
  },
];

describe('a send is refused, and nothing is changed by it', () => {
  it.each(SENDS)(
    '$what',
    async ({ to = () => own.session, events, refusal }) => {
      const before = await everything();
      await expectRefusal(await post(to(), { events: events() }), refusal);
      expect(await everything()).toEqual(before);
    },
    30_000,
  );

  it.each([
    { what: 'a body that is no JSON', body: '{"events":[', refusal: invalid(/^body: not valid JSON/) },
    { what: 'a body that is a list', body: '[]', refusal: invalid(/./) },
    { what: 'events that are no list', body: '{"events":"all"}', refusal: invalid(/events/) },
    {
      what: 'a key that is none',
      key: 'tab\there',
      body: '{"events":[]}',
      refusal: invalid(/^idempotency-key: /),
    },
  ])('$what', async ({ body, key, refusal }) => {
    const before = await everything();
    await expectRefusal(await post(own.session, body, key ? { 'idempotency-key': key } : {}), refusal);
    expect(await everything()).toEqual(before);
  });

  it('with a key that was used with another body', async () => {
    const session = (await client.beta.sessions.create(ground)).id;
    const key = { 'idempotency-key': 'used' };
    await post(session, { events: [{ type: 'user.interrupt' }] }, key);
    const before = await eventsOf(client, session);
    await expectRefusal(await post(session, { events: [message('hello')] }, key), {
      status: 422,
      type: 'invalid_request_error',
      message: /^idempotency-key: /,
    });
    expect(await eventsOf(client, session)).toEqual(before);
  });
});

describe('of two decisions that race', () => {
  it('one is taken, the other refused, and the log has one', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { session, confirmation } = await ask(client, ground);
      const answers = await Promise.all([
        post(session, { events: [deny(confirmation)] }),
        post(session, { events: [deny(confirmation)] }),
      ]);
      const [refused, ...more] = answers.filter((answer) => answer.status !== 200);
      expect(more).toEqual([]);
      await expectRefusal(refused ?? Response.json({}), notOpen);
      const events = await eventsOf(client, session);
      expect(events.filter(({ type }) => type === 'user.tool_confirmation')).toHaveLength(1);
      expect(events.filter(({ type }) => type === 'agent.tool_result')).toHaveLength(1);
    }
  }, 60_000);
});

describe('a session at its budget', () => {
  it('takes what settles its calls, refuses the rest by name, and starts nothing', async () => {
    const budget = { type: 'limit', max_model_calls: 1 };
    const created = await fetch(`${platform.url}/v1/sessions`, {
      method: 'POST',
      headers: { 'x-api-key': platform.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ ...ground, budget }),
    });
    const { id } = await created.json();
    expect(created.status).toBe(200);
    const conversation = new Conversation(client, id);
    await conversation.say('[[tool ask_home {}]] [[say done]]');
    const asked = await conversation.until((events) => restsAs(events, 'requires_action'));
    const use = asked.find(({ type }) => type === 'agent.custom_tool_use')?.id ?? '';
    expect((await post(id, { events: [result(use)] })).status).toBe(200);
    const before = await conversation.until((events) => restsAs(events, 'budget_reached'));
    const outcome = {
      type: 'user.define_outcome',
      description: 'x',
      rubric: { type: 'text', content: 'x' },
    };
    for (const event of [message('hello'), outcome]) {
      const { type } = event;
      await expectRefusal(await post(id, { events: [event] }), invalid(new RegExp(`^events\\.0.*${type}`)));
    }
    expect((await post(id, { events: [{ type: 'user.interrupt' }] })).status).toBe(200);
    expect(await eventsOf(client, id)).toEqual(before);
  }, 60_000);
});

describe('a position that is none of this log is refused', () => {
  const list = (query: string) => get(`/v1/sessions/${own.session}/events?${query}`);
  const listOfThread = async (query: string) => {
    const [primary] = (await client.beta.sessions.threads.list(own.session)).data;
    return get(`/v1/sessions/${own.session}/threads/${primary?.id}/events?${query}`);
  };
  const stream = (query: string, headers?: Record<string, string>) =>
    get(`/v1/sessions/${own.session}/events/stream${query}`, headers);

  it.each([
    { what: 'a cursor of another session', ask: () => list(`page=${others.cursor}`), at: /page/ },
    { what: 'a cursor of another tenant’s session', ask: () => list(`page=${strangers.cursor}`), at: /page/ },
    { what: 'a cursor of the other order', ask: () => list(`order=desc&page=${own.cursor}`), at: /page/ },
    { what: 'a cursor that is none', ask: () => list('page=next'), at: /page/ },
    {
      what: 'a cursor that stands before the bounds',
      ask: () => list(`created_at[gte]=2999-01-01T00:00:00Z&page=${own.cursor}`),
      at: /^page: the created_at bounds/,
    },
    {
      what: 'a cursor of a thread that stands behind the bounds',
      ask: () => listOfThread(`created_at[lt]=2001-01-01T00:00:00Z&page=${own.cursor}`),
      at: /^page: the created_at bounds/,
    },
    { what: 'an order that is none', ask: () => list('order=up'), at: /order/ },
    { what: 'a type that is none', ask: () => list('types[]=agent.song'), at: /types/ },
    { what: 'a limit beyond the most', ask: () => list('limit=1001'), at: /limit/ },
    { what: 'a bound that is no time', ask: () => list('created_at[gt]=noon'), at: /created_at/ },
    {
      what: 'a Last-Event-ID beyond the end',
      ask: () => stream('', { 'last-event-id': '99999' }),
      at: /last-event-id/,
    },
    {
      what: 'a Last-Event-ID that is none',
      ask: () => stream('', { 'last-event-id': 'sevt_1' }),
      at: /last-event-id/,
    },
    { what: 'an `after` beyond the end', ask: () => stream('?after=99999'), at: /after/ },
    { what: 'an `after` before the beginning', ask: () => stream('?after=-1'), at: /after/ },
    {
      what: 'previews of an event that has none',
      ask: () => stream('?event_deltas[]=user.message'),
      at: /event_deltas/,
    },
  ])('$what', async ({ ask, at }) => {
    const response = await ask();
    // A stream that was opened after all would never end.
    if (response.status === 200) await response.body?.cancel();
    expect(response.status).toBe(400);
    await expectRefusal(response, invalid(at));
  });

  it.each([
    { what: 'a list', path: () => `/v1/sessions/${strangers.session}/events` },
    { what: 'a stream', path: () => `/v1/sessions/${strangers.session}/events/stream` },
  ])('$what of another tenant’s session is not found', async ({ path }) => {
    await expectRefusal(await get(path()), unknown);
  });

  it.each(['asc', 'desc'] as const)(
    'and cursors within their bounds lead through all of it, in order %s',
    async (order) => {
      const all = await eventsOf(client, own.session);
      const bounds = {
        'created_at[gte]': all[0]?.processed_at ?? '',
        'created_at[lt]': '2999-01-01T00:00:00Z',
      };
      const listed: string[] = [];
      for await (const { id } of client.beta.sessions.events.list(own.session, {
        ...bounds,
        order,
        limit: 1,
      }))
        listed.push(id);
      const ids = all.map(({ id }) => id);
      expect(listed).toEqual(order === 'asc' ? ids : ids.toReversed());
    },
  );

  it('and the last position there is opens the stream, the one after it does not', async () => {
    const last = await lastId(own.session);
    const response = await stream('', { 'last-event-id': String(last) });
    expect(response.status).toBe(200);
    await response.body?.cancel();
    const beyond = await stream('', { 'last-event-id': String(last + 1) });
    if (beyond.status === 200) await beyond.body?.cancel();
    expect(beyond.status).toBe(400);
  });
});

/** The id of the newest event, as a stream that starts at the beginning has it. */
async function lastId(session: string): Promise<number> {
  const newest = (await eventsOf(client, session)).at(-1)?.id ?? '';
  const response = await get(`/v1/sessions/${session}/events/stream?after=0`);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes(`"id":"${newest}"`)) break;
  }
  return Number([...text.matchAll(/^id: (\d+)$/gm)].at(-1)?.[1]);
}
