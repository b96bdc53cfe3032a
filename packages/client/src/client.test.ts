import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Client, createClient } from './client.ts';
import { Failure } from './failure.ts';
import type { FollowedEvent, FollowOptions } from './follow.ts';

type Answer = (request: IncomingMessage & { text: string }, response: ServerResponse) => void;

let server: Server | null = null;
let waits: number[] = [];
const requests: { method: string; url: string; key: string; lastEventId: string; text: string }[] = [];

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
  waits = [];
  requests.length = 0;
});

/** A server that gives these answers in order, and the client of it. */
async function serve(...answers: Answer[]): Promise<Client> {
  server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { method = '', url = '', headers } = request;
    const [key, lastEventId] = [String(headers['x-api-key']), String(headers['last-event-id'] ?? '')];
    requests.push({ method, url, key, lastEventId, text });
    const answer = answers.shift() ?? json(404, refusal('no more answers'));
    answer(Object.assign(request, { text }), response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  // An address is an object unless the server listens on a pipe.
  const { port } = server.address() as AddressInfo;
  return createClient({ baseUrl: `http://127.0.0.1:${port}/`, apiKey: 'secret' });
}

const refusal = (message: string) => ({ type: 'error', error: { type: 'not_found_error', message } });

function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_1', ...headers });
    response.end(JSON.stringify(body));
  };
}

function frames(sequences: number[], ending: 'end' | 'break', type = 'session.status_running'): Answer {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const n of sequences) {
      const event = { id: `sevt_${n}`, type, processed_at: '2026-11-21T07:00:00Z' };
      response.write(`id: ${n}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
    }
    if (ending === 'end') response.end('id: 99\ndata: {"cut":');
    else response.write('data: {"cut', () => response.destroy());
  };
}

async function collect(client: Client, how: FollowOptions = {}): Promise<FollowedEvent[]> {
  const wait = async (ms: number) => {
    waits.push(ms);
  };
  const seen: FollowedEvent[] = [];
  for await (const followed of client.events.follow('sesn_1', { wait, ...how })) seen.push(followed);
  return seen;
}

describe('createClient', () => {
  it('sends what the route takes and gives what it answers', async () => {
    const client = await serve(
      json(200, { id: 'agent_1' }),
      json(200, { data: [], next_page: null, prev_page: null }),
    );
    const created = await client.agents.create({ body: { name: 'A', model: 'm' } });
    expect(created.id).toBe('agent_1');
    await client.sessions.list({ query: { statuses: ['idle', 'running'], limit: 5, page: undefined } });
    expect(requests).toEqual([
      { method: 'POST', url: '/v1/agents', key: 'secret', lastEventId: '', text: '{"name":"A","model":"m"}' },
      {
        method: 'GET',
        url: '/v1/sessions?statuses%5B%5D=idle&statuses%5B%5D=running&limit=5',
        key: 'secret',
        lastEventId: '',
        text: '',
      },
    ]);
  });

  it('encodes ids in paths and refuses empty ones before it asks', async () => {
    const client = await serve(json(200, {}));
    await client.agents.retrieve({ params: { agent_id: 'a/b?c' }, query: {} });
    expect(requests[0]?.url).toBe('/v1/agents/a%2Fb%3Fc');
    const empty = client.agents.retrieve({ params: { agent_id: '' }, query: {} });
    await expect(empty).rejects.toThrow('agent_id: an id is required');
  });

  it('turns refusals into failures that say why', async () => {
    const client = await serve(json(404, refusal('No agent x')), (_, response) => response.end('<html>'));
    const ask = () => client.agents.retrieve({ params: { agent_id: 'x' }, query: {} });
    const error = await ask().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Failure);
    expect(error).toMatchObject({
      status: 404,
      type: 'not_found_error',
      message: 'No agent x',
      requestId: 'req_1',
    });
    await expect(ask()).rejects.toThrow('the answer is not JSON');
  });

  it('says when nobody answers, and rejects with the reason of an abort', async () => {
    const client = createClient({ baseUrl: 'http://127.0.0.1:1' });
    await expect(client.health.check({})).rejects.toMatchObject({ status: 0, passing: true });
    const reason = new Error('enough');
    await expect(client.health.check({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('follow', () => {
  const sequences = (seen: FollowedEvent[]) => seen.map(({ sequence }) => sequence);
  const end = frames([6], 'end', 'session.status_terminated');

  it('takes a broken line up after the last event that came', async () => {
    const client = await serve(frames([3, 4], 'end'), frames([5], 'break'), end);
    expect(sequences(await collect(client, { after: 2 }))).toEqual([3, 4, 5, 6]);
    expect(requests.map(({ lastEventId }) => lastEventId)).toEqual(['2', '4', '5']);
  });

  it('waits longer while nothing comes, and as long as the server asks', async () => {
    const busy = json(429, refusal('later'), { 'retry-after': '3' });
    const down = json(503, refusal('down'));
    const client = await serve(down, down, busy, frames([1], 'end'), down, end);
    await collect(client);
    expect(waits).toEqual([500, 1000, 3000, 500, 1000]);
  });

  it('ends with a refusal that waiting cannot cure', async () => {
    const client = await serve(frames([1], 'end'), json(404, refusal('gone')));
    await expect(collect(client)).rejects.toMatchObject({ status: 404, message: 'gone' });
  });

  it('ends in silence when the caller aborts', async () => {
    const client = await serve(frames([1], 'end'), frames([2], 'end'));
    const stop = new AbortController();
    const seen = await collect(client, {
      signal: stop.signal,
      onLine: ({ connected }) => {
        if (!connected) stop.abort();
      },
    });
    expect(sequences(seen)).toEqual([1]);
  });
});
