import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let agentId: string;
let sessionId: string;

beforeAll(async () => {
  world = await openWorld();
  agentId = await created('/v1/agents', { name: 'Classic', model: 'some-model', tools: [{ type: 'bash' }] });
  sessionId = await created('/v1/sessions', { agent_id: agentId });
});
afterAll(() => world.close());

const auth = () => ({ 'x-api-key': world.key });

async function post(path: string, body: unknown): Promise<Response> {
  return world.fetch(path, { method: 'POST', headers: auth(), body: JSON.stringify(body) });
}

async function created(path: string, body: unknown): Promise<string> {
  const { id }: { id: string } = await (await post(path, body)).json();
  return id;
}

async function messageOf(response: Response, status: number): Promise<string> {
  const body: { error: { message: string } } = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(status);
  return body.error.message;
}

describe('the classic smoke test', () => {
  it('merges tool shorthands into a toolset where everything else is off', async () => {
    const agent = await (await world.fetch(`/v1/agents/${agentId}`, { headers: auth() })).json();
    expect(agent).toMatchObject({
      tools: [
        {
          type: 'agent_toolset_20260401',
          default_config: { enabled: false },
          configs: [{ name: 'bash', enabled: true, permission_policy: { type: 'always_allow' } }],
        },
      ],
    });
  });

  it('gives sessions without an environment the one default environment', async () => {
    const responses = await Promise.all(
      Array.from({ length: 4 }, () => post('/v1/sessions', { agent: agentId, environment_id: null })),
    );
    const sessions: { environment_id: string }[] = await Promise.all(
      responses.map(async (response) => response.json()),
    );
    expect(new Set(sessions.map((session) => session.environment_id)).size).toBe(1);
  });

  it('takes a message and streams it with its id', async () => {
    const content = [{ type: 'text', text: 'say hi' }];
    const sent = await post(`/v1/sessions/${sessionId}/events`, {
      events: [{ type: 'user.message', content }],
    });
    expect(sent.status).toBe(200);
    const stop = new AbortController();
    const stream = await world.fetch(`/v1/sessions/${sessionId}/events/stream?after=0`, {
      headers: auth(),
      signal: stop.signal,
    });
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers.get('cache-control')).toBe('no-cache');
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes('id: 1\nevent: user.message\n') && text.endsWith('\n\n')) break;
    }
    stop.abort();
    expect(text).toContain('say hi');
  });
});

describe('input', () => {
  it('names the field that is wrong, however deep it lies', async () => {
    const deep = {
      type: 'user.message',
      content: [
        { type: 'text', text: 'fine' },
        { type: 'text', text: 5 },
      ],
    };
    const path = `/v1/sessions/${sessionId}/events`;
    expect(await messageOf(await post(path, { events: [deep] }), 400)).toBe(
      'events.0.content.1.text: expected string, received number',
    );
    expect(await messageOf(await post(path, { events: [{ type: 'user.shout' }] }), 400)).toMatch(
      /^events\.0\.type: expected one of "user\.message", .*, received "user\.shout"$/,
    );
    const agent = { name: 'x', model: { id: 'm', effort: { type: 'extreme' } } };
    expect(await messageOf(await post('/v1/agents', agent), 400)).toMatch(
      /^model\.effort\.type: expected one of "low", .*, received "extreme"$/,
    );
    expect(await messageOf(await post('/v1/sessions', { agent: { type: 'agent', id: 5 } }), 400)).toBe(
      'agent.id: expected string, received number',
    );
  });

  it('refuses a permission policy that there is not, by name', async () => {
    const base = { name: 'x', model: 'm' };
    const never = [{ type: 'bash', permission_policy: { type: 'never' } }];
    expect(await messageOf(await post('/v1/agents', { ...base, tools: never }), 400)).toMatch(
      /^tools\.0\.permission_policy\.type: /,
    );
  });

  it('takes lists as k[]= and as repeated k, and refuses single values given twice', async () => {
    for (const query of [
      'statuses[]=idle&statuses[]=running',
      'statuses=idle&statuses=running',
      'statuses=idle',
    ]) {
      const page: { data: unknown[] } = await (
        await world.fetch(`/v1/sessions?${query}`, { headers: auth() })
      ).json();
      expect(page.data.length).toBeGreaterThan(0);
    }
    const wrong = await world.fetch('/v1/sessions?statuses[]=asleep', { headers: auth() });
    expect(await messageOf(wrong, 400)).toMatch(/^statuses\.0: expected one of/);
    const twice = await world.fetch('/v1/sessions?limit=1&limit=2', { headers: auth() });
    expect(await messageOf(twice, 400)).toMatch(/^limit: given 2 times/);
  });

  it('lists what was created within bounds, and refuses bounds that are no dates', async () => {
    const list = (query: string) => world.fetch(`/v1/sessions?${query}`, { headers: auth() });
    const none: { data: unknown[] } = await (await list('created_at%5Bgt%5D=2999-01-01T00:00:00Z')).json();
    expect(none.data).toEqual([]);
    const some: { data: unknown[] } = await (await list('created_at[lt]=2999-01-01T00:00:00%2B02:00')).json();
    expect(some.data.length).toBeGreaterThan(0);
    expect(await messageOf(await list('created_at[lte]=yesterday'), 400)).toMatch(/^created_at\[lte\]: /);
  });

  it('refuses a body over the limit while it arrives, whatever length it claims', async () => {
    let sent = 0;
    const chunk = new Uint8Array(1024 * 1024).fill(0x20);
    const body = new ReadableStream({
      pull(controller) {
        sent += chunk.byteLength;
        if (sent > 40 * chunk.byteLength) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers: auth(), body, duplex: 'half' };
    expect(await messageOf(await world.fetch('/v1/agents', init), 413)).toMatch(
      /^body: larger than 33554432 bytes/,
    );
  });

  it('refuses events that are within the body limit and still more than a session can be handed', async () => {
    // One character beyond Latin-1 doubles what the text before it takes between Workers.
    const content = [{ type: 'text', text: `${'x'.repeat(7_000_000)}€` }];
    const event = { type: 'user.message', content };
    const sent = await post(`/v1/sessions/${sessionId}/events`, { events: [event, event, event] });
    expect(await messageOf(sent, 413)).toMatch(/^events: /);
  }, 60_000);

  it('takes JSON under any text content type, and no forms', async () => {
    const send = (type: string) =>
      world.fetch('/v1/agents', {
        method: 'POST',
        headers: { ...auth(), 'content-type': type },
        body: JSON.stringify({ name: 'x', model: 'm', unheard_of: true }),
      });
    for (const type of [
      'application/json',
      'application/x-www-form-urlencoded',
      'text/plain;charset=UTF-8',
    ]) {
      expect((await send(type)).status).toBe(200);
    }
    expect(await messageOf(await send('multipart/form-data; boundary=x'), 415)).toMatch(/^content-type: /);
  });

  it('keeps any text as it was sent, and refuses what no row can hold', async () => {
    const strange = ['a\u0000b', '😀 ä \u202e', "'; DROP TABLE sessions; --", '"\\'];
    for (const title of strange) {
      const id = await created('/v1/sessions', { agent: agentId, title, metadata: { title } });
      const session = await (await world.fetch(`/v1/sessions/${id}`, { headers: auth() })).json();
      expect(session).toMatchObject({ title, metadata: { title } });
    }
    const description = 'x'.repeat(1_000_000);
    const tools = [{ type: 'custom', name: 'big', description, input_schema: { type: 'object' } }];
    const refused = await post('/v1/agents', { name: 'x', model: 'm', tools });
    expect(await messageOf(refused, 413)).toMatch(/^agent: \d+ bytes/);
  });

  it('does not stumble over ids and paths that are not well formed', async () => {
    for (const id of ['%E0%A4%A', '%00', '..%2F..', "'", 'x'.repeat(128)]) {
      const response = await world.fetch(`/v1/agents/${id}`, { headers: auth() });
      expect(await messageOf(response, 404)).toBeTypeOf('string');
    }
    const long = await world.fetch(`/v1/agents/${'x'.repeat(129)}`, { headers: auth() });
    expect(await messageOf(long, 400)).toMatch(/^agent_id: /);
  });

  it('takes bodiless posts without a content type', async () => {
    const id = await created('/v1/agents', { name: 'x', model: 'm' });
    const response = await world.fetch(`/v1/agents/${id}/archive?beta=true`, {
      method: 'POST',
      headers: auth(),
    });
    expect(response.status).toBe(200);
  });

  it('refuses a malformed Last-Event-ID and unknown previews', async () => {
    const path = `/v1/sessions/${sessionId}/events/stream`;
    for (const id of ['abc', '-1', '1.5', '1e3']) {
      const response = await world.fetch(path, { headers: { ...auth(), 'last-event-id': id } });
      expect(await messageOf(response, 400)).toMatch(/^last-event-id: /);
    }
    const previews = await world.fetch(`${path}?event_deltas[]=agent.tool_use`, { headers: auth() });
    expect(await messageOf(previews, 400)).toMatch(/^event_deltas\.0: /);
  });

  it('answers HEAD on a stream without opening one', async () => {
    const path = `/v1/sessions/${sessionId}/events/stream`;
    const head = await world.fetch(path, { method: 'HEAD', headers: auth() });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const absent = await world.fetch('/v1/sessions/sesn_none/events/stream', {
      method: 'HEAD',
      headers: auth(),
    });
    expect(absent.status).toBe(404);
  });
});

describe('faults and unknown paths', () => {
  it('says nothing about a fault behind the API but its request id', async () => {
    const path = `/v1/sessions/${sessionId}/events?types[]=session.error`;
    const response = await world.fetch(path, { headers: auth() });
    expect(await messageOf(response, 500)).toBe('Internal server error');
    expect(response.headers.get('request-id')).toMatch(/^req_/);
  });

  it('logs what was asked, by whom and how it ended, and never a key', async () => {
    const response = await world.fetch('/v1/agents/agent_none', { headers: auth() });
    const id = response.headers.get('request-id') ?? '';
    const line = () => world.logs().find((text) => text.includes(id) && text.includes('http.request')) ?? '';
    await expect.poll(line).not.toBe('');
    for (const part of ['retrieveAgent', 'tnt_default', 'key_bootstrap_', '404']) {
      expect(line()).toContain(part);
    }
    expect(world.logs().join()).not.toContain(world.key);
  });

  it('says whose key it was, as ids that webhooks name too, and nothing to others', async () => {
    const known = await world.fetch('/v1/agents', { headers: auth() });
    expect(known.headers.get('anthropic-organization-id')).toBe('tnt_default');
    expect(known.headers.get('anthropic-workspace-id')).toBe('wrkspc_default');
    const refused = await world.fetch('/v1/agents/agent_none', { headers: auth() });
    expect(refused.headers.get('anthropic-workspace-id')).toBe('wrkspc_default');
    const stranger = await world.fetch('/v1/agents', { headers: { 'x-api-key': 'wrong' } });
    expect(stranger.headers.get('anthropic-organization-id')).toBeNull();
  });

  it('answers unknown paths as JSON', async () => {
    for (const path of ['/v1/nothing', '/api/nothing', '/nothing.js', '/v1', '/nothing']) {
      const response = await world.fetch(path, { headers: { ...auth(), accept: '*/*' } });
      expect(await messageOf(response, 404)).toContain(path);
    }
    expect(await messageOf(await post('/nothing', {}), 404)).toContain('/nothing');
  });

  it('opens nothing to other sites', async () => {
    const headers = { origin: 'https://elsewhere.example', 'access-control-request-method': 'POST' };
    const response = await world.fetch('/v1/agents', { method: 'OPTIONS', headers });
    expect(response.status).toBe(405);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});
