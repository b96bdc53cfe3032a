import { once } from 'node:events';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DevModel, startDevModel } from './dev-model.ts';
import type { StatsReport } from './stats.ts';

let model: DevModel;
beforeEach(async () => {
  model = await startDevModel();
});
afterEach(() => model.stop());

function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' };
  return fetch(model.url + path, { method: 'POST', headers, body: JSON.stringify(body), signal });
}

const ask = (text: string, more: object = {}, signal?: AbortSignal) =>
  post('/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: text }], ...more }, signal);

async function stats(): Promise<StatsReport> {
  return JSON.parse(await (await fetch(`${model.url}/stats`)).text());
}

/** Asks for the stats until they are as wanted; each request gives the server its turn. */
async function statsWhen(wanted: (report: StatsReport) => boolean): Promise<StatsReport> {
  for (;;) {
    const report = await stats();
    if (wanted(report)) return report;
  }
}

describe('startDevModel', () => {
  it('refuses to listen beyond loopback', async () => {
    await expect(startDevModel({ host: '0.0.0.0' })).rejects.toThrow(/loopback only/);
  });

  it('tells that a port is taken', async () => {
    await expect(startDevModel({ port: model.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('stops with a reply still hanging', async () => {
    const other = await startDevModel();
    const hanging = fetch(`${other.url}/v1/responses`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', input: '[[hang]]' }),
    }).catch((error: unknown) => error);
    let inFlight = 0;
    while (inFlight === 0) inFlight = JSON.parse(await (await fetch(`${other.url}/stats`)).text()).in_flight;
    await other.stop();
    expect(await hanging).toBeInstanceOf(TypeError);
  });
});

describe('the server', () => {
  it('counts requests per protocol until they are reset', async () => {
    await (await ask('say hi')).text();
    await (await ask('say hi', { stream: true })).text();
    await (await post('/v1/responses', { model: 'm', input: '[[fail 500]]' })).text();
    await (await post('/v1/messages', { model: 'm' })).text();
    const report = await statsWhen((now) => now.in_flight === 0);
    expect(report.requests).toBe(4);
    expect(report.protocols).toMatchObject({
      chat_completions: { requests: 2, streamed: 1, failed: 0, broken: 0 },
      responses: { requests: 1, failed: 1 },
      messages: { requests: 1, failed: 1 },
    });
    expect(Date.parse(report.last_request_at ?? '')).toBeGreaterThan(0);
    const reset = await (await fetch(`${model.url}/stats/reset`, { method: 'POST' })).json();
    expect(reset).toMatchObject({ requests: 0, in_flight: 0, last_request_at: null });
  });

  it('counts a request in flight until its client gives up', async () => {
    const client = new AbortController();
    const hanging = ask('[[hang]]', {}, client.signal).catch(() => 'aborted');
    await statsWhen((now) => now.in_flight === 1);
    client.abort();
    expect(await hanging).toBe('aborted');
    expect((await statsWhen((now) => now.in_flight === 0)).protocols.chat_completions.broken).toBe(1);
  });

  it('hangs in the midst of a stream', async () => {
    const response = await ask('[[words 9]] [[hang after=3]]', { stream: true });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    while (!seen.includes('w3')) seen += (await reader?.read())?.value ?? '';
    expect(seen).not.toContain('w4');
    await reader?.cancel();
  });

  it('waits before the first byte and between words', async () => {
    const start = performance.now();
    const response = await ask('[[ttft 60]] [[delay 20]] [[words 4]]', { stream: true });
    expect(performance.now() - start).toBeGreaterThan(55);
    await response.text();
    expect(performance.now() - start).toBeGreaterThan(115);
  });

  it('cuts the connection, streaming or not, with a delay or without', async () => {
    for (const script of [
      '[[words 9]] [[cut]]',
      '[[delay 1]] [[words 9]] [[cut 3]]',
      '[[words 9]] [[cut 0]]',
    ]) {
      for (const stream of [true, false]) {
        const text = ask(script, { stream }).then((response) => response.text());
        await expect(text).rejects.toThrow();
      }
    }
  });

  it('fails once per conversation, in whatever protocol it comes back', async () => {
    const text = '[[failonce 503 times=2]] [[say ok]]';
    expect((await ask(text)).status).toBe(503);
    expect((await post('/v1/responses', { model: 'm', input: text })).status).toBe(503);
    expect((await ask(text)).status).toBe(200);
    expect((await ask(`${text} and another conversation`)).status).toBe(503);
    await fetch(`${model.url}/stats/reset`, { method: 'POST' });
    expect((await ask(text)).status).toBe(503);
  });

  it('is told the same history by every protocol', async () => {
    const text = '[[tool bash {"command":"a"}]] [[echo-history]]';
    const said = async (response: Promise<Response>) => JSON.parse(await (await response).text());
    const user = { role: 'user', content: text };
    const call = { id: 'c1', type: 'function', function: { name: 'bash', arguments: '{"command":"a"}' } };
    const chat = await said(
      post('/v1/chat/completions', {
        model: 'm',
        messages: [
          { role: 'system', content: 's' },
          user,
          { role: 'assistant', content: 'on it', tool_calls: [call] },
          { role: 'tool', tool_call_id: 'c1', content: 'out' },
        ],
      }),
    );
    const responses = await said(
      post('/v1/responses', {
        model: 'm',
        instructions: 's',
        input: [
          user,
          { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'on it' }] },
          { type: 'function_call', call_id: 'c1', name: 'bash', arguments: '{"command":"a"}' },
          { type: 'function_call_output', call_id: 'c1', output: 'out' },
        ],
      }),
    );
    const use = { type: 'tool_use', id: 'c1', name: 'bash', input: { command: 'a' } };
    const messages = await said(
      post('/v1/messages', {
        model: 'm',
        max_tokens: 9,
        system: 's',
        messages: [
          user,
          { role: 'assistant', content: [{ type: 'text', text: 'on it' }, use] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: 'out' }] },
        ],
      }),
    );
    const history = JSON.parse(chat.choices[0].message.content);
    expect(history.messages.map((message: { role: string }) => message.role)).toEqual([
      'system',
      'user',
      'assistant',
      'tool',
    ]);
    expect(JSON.parse(responses.output[0].content[0].text)).toEqual(history);
    expect(JSON.parse(messages.content[0].text)).toEqual(history);
  });

  it('plays the cut once, then the whole', async () => {
    const attempt = () =>
      ask('[[words 9]] [[cutonce 2]]', { stream: true }).then((response) => response.text());
    await expect(attempt()).rejects.toThrow();
    expect(await attempt()).toContain('w9');
  });

  it('streams a long text whole', async () => {
    const text = await (await ask('[[size 100000]]', { stream: true })).text();
    const said = [...text.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)]
      .map((match) => JSON.parse(match[1] ?? '""'))
      .join('');
    expect(said).toHaveLength(100_000);
  });

  it('answers many at once', async () => {
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, index) => ask(`[[say reply ${index}]]`)),
    );
    const said = await Promise.all(
      replies.map(async (reply) => JSON.parse(await reply.text()).choices[0].message.content),
    );
    expect(said).toEqual(Array.from({ length: 100 }, (_, index) => `reply ${index}`));
  });

  it('refuses malformed JSON, an unknown path, a wrong method and an oversized body', async () => {
    const send = async (path: string, init: RequestInit) => {
      const response = await fetch(model.url + path, init);
      return [response.status, await response.json()];
    };
    expect(await send('/v1/responses', { method: 'POST', body: '{"a":' })).toMatchObject([
      400,
      { error: { type: 'invalid_request_error', message: expect.stringContaining('not valid JSON') } },
    ]);
    expect(await send('/v1/embeddings', { method: 'POST', body: '{}' })).toMatchObject([
      404,
      { error: { code: 'unknown_url' } },
    ]);
    expect(await send('/v1/messages', { headers: { 'anthropic-version': '2023-06-01' } })).toMatchObject([
      405,
      { type: 'error' },
    ]);
    const large = new Uint8Array(33 * 1024 * 1024);
    expect(await send('/v1/responses', { method: 'POST', body: large })).toMatchObject([
      413,
      { error: { code: 'request_too_large' } },
    ]);
  });

  it('hears out a body that is too long, so that whoever sends it is not held up', async () => {
    const body = Buffer.alloc(48 * 1024 * 1024, ' ');
    const headers = { 'content-length': body.length };
    const sent = request(`${model.url}/v1/messages`, { method: 'POST', headers }).end(body);
    const [[response]] = await Promise.all([once(sent, 'response'), once(sent, 'finish')]);
    expect(response.resume().statusCode).toBe(413);
    await once(sent, 'close');
  });

  it('outlives a client that leaves in the middle of its request', async () => {
    const socket = createConnection(model.port, '127.0.0.1');
    socket.write('POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"model"');
    await statsWhen((now) => now.in_flight === 1);
    socket.destroy();
    await statsWhen((now) => now.in_flight === 0);
    expect((await ask('say hi')).status).toBe(200);
  });

  it('reports its health', async () => {
    expect(await (await fetch(`${model.url}/health`)).json()).toEqual({ status: 'ok' });
  });
});
