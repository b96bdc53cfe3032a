// WebSockets of deployed sessions: admitted by the public Worker, told by the session, kept through its sleep.
import type { SessionEvent } from '@capstan/schema/events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handshake, SocketClient } from './testing/socket-client.ts';
import { openTalker, type Talker } from './testing/talker.ts';
import { openWorld, type World } from './testing/world.ts';

let talker: Talker;
let world: World;
let agent: string;

beforeAll(async () => {
  talker = await openTalker();
  world = await openWorld({ modelUrl: talker.url });
  agent = await created('/v1/agents', { name: 'Talker', model: 'some-model' });
});
afterAll(async () => {
  await world.close();
  talker.close();
});

const auth = () => ({ 'x-api-key': world.key });
const streamOf = (session: string, query = '') => `${world.url}/v1/sessions/${session}/events/stream${query}`;

async function post(path: string, body: unknown): Promise<Response> {
  const response = await world.fetch(path, { method: 'POST', headers: auth(), body: JSON.stringify(body) });
  expect(response.status).toBe(200);
  return response;
}

async function created(path: string, body: unknown): Promise<string> {
  const { id }: { id: string } = await (await post(path, body)).json();
  return id;
}

const newSession = () => created('/v1/sessions', { agent });

async function ask(session: string, words: number): Promise<void> {
  const content = [{ type: 'text', text: `say words: ${words}` }];
  await post(`/v1/sessions/${session}/events`, { events: [{ type: 'user.message', content }] });
}

async function listed(session: string): Promise<SessionEvent[]> {
  const response = await world.fetch(`/v1/sessions/${session}/events?limit=1000`, { headers: auth() });
  const { data }: { data: SessionEvent[] } = await response.json();
  return data;
}

const idles = (client: SocketClient, count: number) =>
  expect
    .poll(() => client.events.filter(({ type }) => type === 'session.status_idle').length, {
      timeout: 20_000,
    })
    .toBe(count);

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a socket', () => {
  it('replays and then goes on, with the previews asked for', async () => {
    const session = await newSession();
    await ask(session, 1);
    await expect.poll(async () => (await listed(session)).at(-1)?.type).toBe('session.status_idle');
    const client = await SocketClient.open(
      streamOf(session, '?after=0&event_deltas[]=agent.message'),
      auth(),
    );
    await ask(session, 12);
    await idles(client, 2);
    expect(client.events).toEqual(await listed(session));
    expect(client.ids).toEqual(range(1, client.ids.length));
    const previews = client.messages.filter(({ id }) => id === undefined).map(({ event }) => event);
    expect(previews[0]).toMatchObject({ type: 'event_start', event: { type: 'agent.message' } });
    expect(previews.slice(1).map(({ type }) => type)).toEqual(previews.slice(1).map(() => 'event_delta'));
    client.socket.close();
  });

  it('outlives the sleep of its session: nothing is missing and nothing comes twice', async () => {
    const session = await newSession();
    const client = await SocketClient.open(streamOf(session), auth());
    const quiet = await SocketClient.open(streamOf(session), auth());
    for (let turn = 1; turn <= 4; turn++) {
      await ask(session, turn);
      await idles(client, turn);
      await world.evict(session, 'hibernate');
      client.socket.send('ping');
      await expect.poll(() => client.pongs).toBe(1 + turn);
    }
    await idles(quiet, 4);
    for (const { events, ids, closed } of [client, quiet]) {
      expect(events).toEqual(await listed(session));
      expect(ids).toEqual(range(1, ids.length));
      expect(closed).toBeNull();
    }
    client.socket.close(1000, 'done');
    await expect.poll(() => client.closed?.code).toBe(1000);
    await ask(session, 5);
    await idles(quiet, 5);
    expect(client.events).toHaveLength(quiet.events.length - 9);
    quiet.socket.close();
  }, 120_000);

  it('that went with its process is resumed from the last id it had', async () => {
    const session = await newSession();
    const first = await SocketClient.open(streamOf(session), auth());
    await ask(session, 3);
    await idles(first, 1);
    await world.evict(session, 'close');
    await expect.poll(() => first.closed !== null).toBe(true);
    await ask(session, 4);
    const second = await SocketClient.open(streamOf(session, `?after=${first.ids.at(-1)}`), auth());
    await idles(second, 1);
    expect([...first.events, ...second.events]).toEqual(await listed(session));
    second.socket.close();
  }, 120_000);

  it('is told how the session ends, and closes', async () => {
    const archived = await newSession();
    const open = await SocketClient.open(streamOf(archived), auth());
    await post(`/v1/sessions/${archived}/archive`, {});
    await expect.poll(() => open.closed).toEqual({ code: 1000, reason: 'the session is over' });
    const late = await SocketClient.open(streamOf(archived), auth());
    await expect.poll(() => late.closed?.code).toBe(1000);
    for (const { events } of [open, late])
      expect(events.map(({ type }) => type)).toContain('session.status_terminated');
    const deleted = await newSession();
    const gone = await SocketClient.open(streamOf(deleted), auth());
    await world.fetch(`/v1/sessions/${deleted}`, { method: 'DELETE', headers: auth() });
    await expect.poll(() => gone.closed?.code).toBe(1000);
    expect(gone.events.at(-1)?.type).toBe('session.deleted');
  }, 120_000);

  it('says that it listens to nothing but ping', async () => {
    const client = await SocketClient.open(streamOf(await newSession()), auth());
    client.socket.send('{"type":"user.message"}');
    await expect.poll(() => client.closed?.code).toBe(1003);
  });

  it('is refused as a stream is: strangers, unknown sessions, places beyond the end, pages of other sites', async () => {
    const session = await newSession();
    expect(await handshake(streamOf(session), {})).toBe(401);
    expect(await handshake(streamOf(session), { 'x-api-key': world.strangerKey })).toBe(404);
    expect(await handshake(streamOf('sesn_none'), auth())).toBe(404);
    expect(await handshake(streamOf(session, '?after=99'), auth())).toBe(400);
    expect(await handshake(streamOf(session, '?event_deltas[]=agent.tool_use'), auth())).toBe(400);
    const login = await world.fetch('/api/login', {
      method: 'POST',
      headers: { origin: world.url },
      body: JSON.stringify({ api_key: world.key }),
    });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await handshake(streamOf(session), { cookie, origin: 'https://evil.example' })).toBe(403);
    expect(await handshake(streamOf(session), { cookie, origin: world.url })).toBe(101);
  });
});
