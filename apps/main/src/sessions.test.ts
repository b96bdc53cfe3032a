import { stores } from '@capstan/db/stores';
import { exportLine } from '@capstan/schema/exports';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
/** Of a model whose list price is known. */
let agent: string;
/** Of one whose price nobody knows. */
let unpriced: string;
let session: string;

beforeAll(async () => {
  world = await openWorld();
  agent = await idOf('/v1/agents', { name: 'Priced', model: 'priced-model' });
  unpriced = await idOf('/v1/agents', { name: 'Unpriced', model: 'some-model' });
  session = await idOf('/v1/sessions', { agent, title: 'First', metadata: { a: '1', b: '2' } });
});
afterAll(() => world.close());

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  /** Of a refusal. */
  message: string;
  reason: string | undefined;
}

async function ask(path: string, init: RequestInit = {}, key = world.key): Promise<Answer> {
  const response = await world.fetch(path, { ...init, headers: { 'x-api-key': key, ...init.headers } });
  const body = JSON.parse(await response.text());
  const { message = '', details } = body.error ?? {};
  return { status: response.status, headers: response.headers, body, message, reason: details?.error_code };
}

const post = (path: string, body: unknown, { key = world.key, once = '' } = {}) =>
  ask(
    path,
    {
      method: 'POST',
      body: JSON.stringify(body),
      ...(once !== '' && { headers: { 'idempotency-key': once } }),
    },
    key,
  );

async function idOf(path: string, body: unknown): Promise<string> {
  const answer = await post(path, body);
  expect(answer.status, answer.message).toBe(200);
  return String(answer.body.id);
}

const say = (text: string) => ({ type: 'user.message', content: [{ type: 'text', text }] });
const outcome = (over: object = {}) => ({
  type: 'user.define_outcome',
  description: 'A page',
  rubric: { type: 'text', content: 'It is a page.' },
  ...over,
});
const dollars = (amount: string) => ({ type: 'limit', max_list_cost: { amount, currency: 'USD' } });

describe('a budget', () => {
  it.each([
    ['of cents with decimals', dollars('1.50'), /^budget\.max_list_cost\.amount: /],
    ['of no cents', dollars('0'), /^budget\.max_list_cost\.amount: /],
    ['of cents with leading zeros', dollars('050'), /^budget\.max_list_cost\.amount: /],
    ['of fewer than no cents', dollars('-5'), /^budget\.max_list_cost\.amount: /],
    [
      'of cents as a number',
      { type: 'limit', max_list_cost: { amount: 50, currency: 'USD' } },
      /^budget\.max_list_cost\.amount: /,
    ],
    [
      'in another currency',
      { type: 'limit', max_list_cost: { amount: '50', currency: 'EUR' } },
      /^budget\.max_list_cost\.currency: expected "USD"/,
    ],
    ['without a limit', { type: 'limit' }, /^budget\.max_list_cost: required/],
    ['of another type', { type: 'soft', max_tokens: 5 }, /^budget\.type: /],
    ['of no tokens', { type: 'limit', max_tokens: 0 }, /^budget\.max_tokens: /],
    ['of half a call', { type: 'limit', max_model_calls: 0.5 }, /^budget\.max_model_calls: /],
  ])('%s is refused by the field, at creation and later', async (_what, budget, message) => {
    for (const path of ['/v1/sessions', `/v1/sessions/${session}`]) {
      const refused = await post(path, { agent, budget });
      expect(refused.status).toBe(400);
      expect(refused.message).toMatch(message);
    }
  });

  it('in money is refused for a model without a known price, in tokens it is not', async () => {
    const refused = await post('/v1/sessions', { agent: unpriced, budget: dollars('50') });
    expect(refused).toMatchObject({ status: 400, reason: 'model_not_budgetable' });
    expect(refused.message).toMatch(/^budget\.max_list_cost: .*some-model/);
    const budget = { type: 'limit', max_tokens: 1_000, max_model_calls: 3 };
    const made = await post('/v1/sessions', { agent: unpriced, budget });
    expect(made).toMatchObject({ status: 200, body: { budget, status: 'idle' } });
    const later = await post(`/v1/sessions/${made.body.id}`, { budget: dollars('50') });
    expect(later).toMatchObject({ status: 400, reason: 'model_not_budgetable' });
  });

  it('counts the agents that a coordinator may call', async () => {
    const roster = { type: 'coordinator', agents: [unpriced] };
    const lead = await idOf('/v1/agents', { name: 'Lead', model: 'priced-model', multiagent: roster });
    const refused = await post('/v1/sessions', { agent: lead, budget: dollars('50') });
    expect(refused).toMatchObject({ status: 400, reason: 'model_not_budgetable' });
  });

  it('is put on a session, replaced and removed', async () => {
    const made = await post('/v1/sessions', { agent, budget: dollars('2500') });
    expect(made.body.budget).toEqual(dollars('2500'));
    const path = `/v1/sessions/${made.body.id}`;
    expect((await post(path, { budget: dollars('5000') })).body.budget).toEqual(dollars('5000'));
    expect((await post(path, {})).body.budget).toEqual(dollars('5000'));
    expect((await post(path, { budget: null })).body.budget).toBeNull();
  });
});

describe('initial events', () => {
  it('make a session that runs at once', async () => {
    const initial_events = [say('Begin.'), outcome()];
    const made = await post('/v1/sessions', { agent, initial_events });
    expect(made).toMatchObject({ status: 200, body: { status: 'running' } });
    const kept = await stores(world.db, 'tnt_default').sessions.load(String(made.body.id));
    expect(kept?.initialEvents).toEqual(initial_events);
  });

  it('are left out when they are an empty list or null', async () => {
    for (const initial_events of [[], null]) {
      expect((await post('/v1/sessions', { agent, initial_events })).body.status).toBe('idle');
    }
  });

  const file = { type: 'document', source: { type: 'file', file_id: 'file_1' } };
  it.each([
    ['of another type', [say('hi'), { type: 'user.interrupt' }], /^initial_events\.1\.type: /],
    ['that are rules', [{ type: 'system.message', content: [] }], /^initial_events\.0\.type: /],
    ['beyond fifty', Array.from({ length: 51 }, () => say('hi')), /^initial_events: /],
    ['with two outcomes', [outcome(), say('hi'), outcome()], /^initial_events\.2: .*one outcome/],
    [
      'with an outcome without a rubric',
      [outcome({ rubric: undefined })],
      /^initial_events\.0\.rubric: required/,
    ],
    ['without content', [{ type: 'user.message', content: [] }], /^initial_events\.0\.content: /],
    [
      'with more than a hundred files',
      [{ type: 'user.message', content: Array.from({ length: 101 }, () => file) }],
      /^initial_events: more than 100/,
    ],
    [
      'with a file that is not there',
      [{ type: 'user.message', content: [file] }],
      /^initial_events\.0\.content\.0\.source\.file_id: no file/,
    ],
    [
      'to a thread',
      [{ ...say('hi'), session_thread_id: 'sthr_1' }],
      /^initial_events\.0\.session_thread_id: /,
    ],
  ])('%s are refused by name', async (_what, initial_events, message) => {
    const refused = await post('/v1/sessions', { agent, initial_events });
    expect(refused.status).toBe(400);
    expect(refused.message).toMatch(message);
  });

  it('too long to keep are refused', async () => {
    const events = (chars: number) => [say('x'.repeat(chars))];
    const send = (chars: number) => post('/v1/sessions', { agent, initial_events: events(chars) });
    const refused = await send(1_000_000);
    expect(refused).toMatchObject({ status: 413, body: { error: { type: 'request_too_large' } } });
    const said =
      /^initial_events: \d+ bytes as JSON; at most (\d+) can be kept beside its agent and environment, which have \d+ of 900000$/;
    expect(refused.message).toMatch(said);
    const room = Number(said.exec(refused.message)?.[1]) - JSON.stringify(events(0)).length;
    expect((await send(room)).status).toBe(200);
    expect((await send(room + 1)).message).toMatch(said);
  });
});

describe('an update of a session', () => {
  it('changes what it names, deletes pairs that are null and shows it in lists', async () => {
    const path = `/v1/sessions/${session}`;
    const changed = await post(path, {
      title: 'Second',
      metadata: { a: null, c: '3' },
      unheard_of: true,
    });
    expect(changed).toMatchObject({ status: 200, body: { id: session, title: 'Second' } });
    expect(changed.body.metadata).toEqual({ b: '2', c: '3' });
    expect((await ask(path)).body).toMatchObject({ title: 'Second', metadata: { b: '2', c: '3' } });
    const { data } = (await ask(`/v1/sessions?agent_id=${agent}&limit=100`)).body as {
      data: { id: string }[];
    };
    expect(data.find(({ id }) => id === session)).toMatchObject({ title: 'Second' });
    expect((await post(path, { title: null })).body.title).toBeNull();
  });

  it.each([
    ['vault_ids', { vault_ids: [] }, /^vault_ids: /],
    ['agent', { agent: { tools: [{ type: 'none' }] } }, /^agent\.tools\.0/],
    ['title', { title: 'x'.repeat(513) }, /^title: /],
    ['metadata', { metadata: { ['k'.repeat(65)]: 'v' } }, /^metadata\./],
    ['metadata', { metadata: { k: 5 } }, /^metadata\.k: /],
    ['metadata', { metadata: Object.fromEntries(numbered(17)) }, /^metadata: at most 16/],
  ])('refuses %s that cannot be', async (_field, body, message) => {
    const refused = await post(`/v1/sessions/${session}`, body);
    expect(refused.status).toBe(400);
    expect(refused.message).toMatch(message);
  });

  function numbered(count: number): [string, string][] {
    return Array.from({ length: count }, (_, index) => [`key${index}`, 'v']);
  }
});

describe('prewarming', () => {
  it('is accepted, also when it is repeated, of a session that is not over', async () => {
    const id = await idOf('/v1/sessions', { agent });
    for (let times = 0; times < 2; times++) {
      const accepted = await post(`/v1/sessions/${id}/prewarm`, {});
      expect(accepted).toMatchObject({ status: 202, body: { id, type: 'session_prewarming' } });
    }
    await post(`/v1/sessions/${id}/archive`, {});
    expect((await post(`/v1/sessions/${id}/prewarm`, {})).status).toBe(409);
  });
});

describe('a fork', () => {
  const forkOf = (id: string) => `/v1/sessions/${id}/fork`;
  const send = async (id: string, text: string) => {
    const { body } = await post(`/v1/sessions/${id}/events`, { events: [say(text)] });
    const { data } = body as { data: { id: string }[] };
    return data[0]?.id ?? '';
  };

  it('is a session of the same agent and says where it comes from', async () => {
    const source = await idOf('/v1/sessions', {
      agent,
      title: 'Source',
      budget: dollars('5'),
      metadata: { a: '1' },
    });
    const at = await send(source, 'one');
    const plain = await post(forkOf(source), { at });
    expect(plain).toMatchObject({
      status: 200,
      body: {
        type: 'session',
        title: 'Source',
        metadata: { a: '1' },
        budget: null,
        agent: { id: agent },
        capstan: { forked_from: { session_id: source, event_id: at }, sandbox_snapshot: null },
      },
    });
    const named = await post(forkOf(source), { at, title: null, metadata: {}, budget: dollars('7') });
    expect(named.body).toMatchObject({ title: null, metadata: {}, budget: dollars('7') });
    expect((await ask(`/v1/sessions/${named.body.id}`)).body).toMatchObject({ title: null });
    const { origin } = (await stores(world.db, 'tnt_default').sessions.load(String(named.body.id))) ?? {};
    expect(origin).toEqual({ sessionId: source, eventId: at });
  });

  it('says which snapshot of the sandbox it begins with, and counts as one that holds it', async () => {
    const source = await idOf('/v1/sessions', { agent, metadata: { image: 'im-1' } });
    const at = await send(source, 'one');
    const { snapshotHolders } = stores(world.db, 'tnt_default');
    await snapshotHolders.hold('im-1', source);
    const fork = await post(forkOf(source), { at });
    const sandbox_snapshot = { id: 'snap_1', taken_at: '2026-01-02T00:00:00.000Z' };
    expect(fork.body).toMatchObject({ capstan: { sandbox_snapshot } });
    expect(await snapshotHolders.letGo('im-1', source)).toBe(false);
    expect(await snapshotHolders.letGo('im-1', String(fork.body.id))).toBe(true);
  });

  it('has the tools that the agent had there, in its answer and ever after', async () => {
    const source = await idOf('/v1/sessions', { agent });
    const tools = [{ type: 'custom', name: 'ask', description: 'Asks.', input_schema: { type: 'object' } }];
    await post(`/v1/sessions/${source}`, { agent: { tools } });
    const at = await send(source, 'one');
    const first = await post(forkOf(source), { at }, { once: 'fork-tools' });
    expect(first.body).toMatchObject({ agent: { id: agent, tools, mcp_servers: [] } });
    expect((await post(forkOf(source), { at }, { once: 'fork-tools' })).body).toEqual(first.body);
    const row = await stores(world.db, 'tnt_default').sessions.find(String(first.body.id));
    expect(row?.agentTools).toEqual({ tools, mcp_servers: [] });
  });

  it('is made once for one key, also when it is gone again', async () => {
    const source = await idOf('/v1/sessions', { agent });
    const at = await send(source, 'one');
    const first = await post(forkOf(source), { at }, { once: 'fork-once' });
    const second = await post(forkOf(source), { at }, { once: 'fork-once' });
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    await ask(`/v1/sessions/${first.body.id}`, { method: 'DELETE' });
    expect((await post(forkOf(source), { at }, { once: 'fork-once' })).body).toEqual(first.body);
  });

  it('refuses an event the session does not have, and sessions of others', async () => {
    const source = await idOf('/v1/sessions', { agent });
    const at = await send(source, 'one');
    const refused = await post(forkOf(session), { at });
    expect(refused.status).toBe(400);
    expect(refused.message).toMatch(/^at: /);
    expect((await post(forkOf(source), {})).message).toMatch(/^at: required/);
    expect((await post(forkOf(source), { at }, { key: world.strangerKey })).status).toBe(404);
  });
});

describe('an export', () => {
  it('is the session and then a line for each row', async () => {
    const id = await idOf('/v1/sessions', { agent, title: 'Kept' });
    await post(`/v1/sessions/${id}/events`, { events: [say('one'), say('two')] });
    const response = await world.fetch(`/v1/sessions/${id}/export`, { headers: { 'x-api-key': world.key } });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${id}.jsonl"`);
    const lines = (await response.text()).trimEnd().split('\n');
    const [first, ...rows] = lines.map((line) => exportLine.parse(JSON.parse(line)));
    expect(first).toMatchObject({ type: 'session', id, title: 'Kept' });
    expect(rows).toMatchObject([{ seq: 1 }, { seq: 2 }]);
  });
});

describe('usage', () => {
  it('is summed up for the caller alone, within the bounds asked for', async () => {
    const at = Date.parse('2026-11-21T07:00:00Z');
    const entry = {
      eventId: 'sevt_usage_1',
      sessionId: session,
      threadId: 'sthr_1',
      agentId: agent,
      agentVersion: 1,
      kind: 'model' as const,
      provider: 'openai',
      model: 'priced-model',
      inputTokens: 1_000,
      outputTokens: 100,
      cacheReadTokens: 0,
      cacheWriteTokens: 0,
      costNanoUsd: 15_000_000,
      estimated: false,
      at,
    };
    await stores(world.db, 'tnt_default').ledger.record([entry]);
    const { body } = await ask('/v1/usage?group_by=model');
    expect(body).toMatchObject({
      data: [
        {
          group: 'openai/priced-model',
          model_calls: 1,
          input_tokens: 1_000,
          list_cost: { amount: '2', currency: 'USD' },
          list_cost_nano_usd: 15_000_000,
        },
      ],
      next_page: null,
    });
    const none = { data: [], next_page: null };
    expect((await ask('/v1/usage?to=2026-11-21T07:00:00Z')).body).toEqual(none);
    expect((await ask('/v1/usage', {}, world.strangerKey)).body).toEqual(none);
    expect((await ask('/v1/usage?from=yesterday')).message).toMatch(/^from: /);
    expect((await ask('/v1/usage?group_by=week')).message).toMatch(/^group_by: /);
  });
});

describe('a request that cannot be', () => {
  it('says which place in a stream is none', async () => {
    for (const after of ['', '1e3', '-1', '0x10', ' 1', '1.5']) {
      const refused = await ask(`/v1/sessions/${session}/events/stream?after=${encodeURIComponent(after)}`);
      expect(refused.status, after).toBe(400);
      expect(refused.message, after).toMatch(/^after: /);
    }
    const headers = { 'last-event-id': 'sevt_1' };
    const refused = await ask(`/v1/sessions/${session}/events/stream`, { headers });
    expect(refused.status).toBe(400);
    expect(refused.message).toMatch(/^last-event-id: /);
  });

  it('is refused with thousands of events in one body', async () => {
    const events = Array.from({ length: 10_000 }, (_, index) => say(`message ${index}`));
    const refused = await post(`/v1/sessions/${session}/events`, { events });
    expect(refused).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error' } } });
    expect(refused.message).toMatch(/^events: /);
    expect(refused.message.length).toBeLessThan(500);
  });

  it('is refused with an image that is too large, and nothing is stored', async () => {
    const id = await idOf('/v1/sessions', { agent });
    const image = (megabytes: number) => {
      const data = 'A'.repeat(Math.ceil((megabytes * 4) / 3) * 1_000_000);
      return { type: 'user.message', content: [{ type: 'image', source: png(data) }] };
    };
    for (const megabytes of [30, 15]) {
      const refused = await post(`/v1/sessions/${id}/events`, { events: [say('look'), image(megabytes)] });
      expect(refused).toMatchObject({ status: 413, body: { error: { type: 'request_too_large' } } });
    }
    expect((await ask(`/v1/sessions/${id}/events`)).body.data).toEqual([]);
    const kept = await post(`/v1/sessions/${id}/events`, { events: [image(3)] });
    expect(kept.status).toBe(200);
  });

  function png(data: string) {
    return { type: 'base64', media_type: 'image/png', data };
  }
});
