import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { type ContextItem, isModelFailure, type ModelFailure } from '@capstan/session/harness';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ask,
  collect,
  configFor,
  DIALECTS,
  type DialectName,
  frame,
  say,
  startServer,
  type TestServer,
} from '../testing.ts';
import { scrub } from './failure.ts';
import { retryAfter } from './fault-facts.ts';

let server: TestServer | undefined;
afterEach(() => server?.stop());

interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

async function failureOf(dialect: DialectName, reply: Reply): Promise<ModelFailure> {
  server = await startServer((response) => {
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    response.end(JSON.stringify(reply.body));
  });
  return failure(dialect, server.url);
}

async function failure(
  dialect: DialectName,
  url: string,
  context: readonly ContextItem[] = [say('hi')],
): Promise<ModelFailure> {
  try {
    for await (const _ of ask({ config: configFor(dialect, url), context }));
  } catch (error) {
    if (isModelFailure(error)) return error;
    throw error;
  }
  throw new TypeError('The call did not fail.');
}

const openai = (message: string, code: string | null = null) => ({ error: { message, type: 'x', code } });
const anthropic = (message: string, type = 'x') => ({ type: 'error', error: { type, message } });
const bodyFor = (dialect: DialectName, message: string) =>
  dialect === 'messages' ? anthropic(message) : openai(message);

describe.each(DIALECTS)('a failure over %s', (dialect) => {
  it.each([
    [400, 'model_request_failed_error', false],
    [401, 'model_request_failed_error', false],
    [402, 'billing_error', false],
    [403, 'model_request_failed_error', false],
    [404, 'model_request_failed_error', false],
    [408, 'model_request_failed_error', true],
    [413, 'model_request_failed_error', false],
    [429, 'model_rate_limited_error', true],
    [500, 'model_request_failed_error', true],
    [502, 'model_request_failed_error', true],
    [503, 'model_overloaded_error', true],
    [529, 'model_overloaded_error', true],
  ])('with status %i is %s, retryable %s', async (status, type, retryable) => {
    const found = await failureOf(dialect, { status, body: bodyFor(dialect, 'The words of the provider') });
    expect([found.type, found.retryable]).toEqual([type, retryable]);
    expect(found.message).toContain('The words of the provider');
    // Refused at the door: the model has read nothing.
    expect(found.usage).toEqual(ZERO_MODEL_USAGE);
  });

  it('of a server that is not there took nothing, and of a reply that breaks off nobody knows', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': working\n\n');
      setImmediate(() => response.destroy());
    });
    const { url } = server;
    expect((await failure(dialect, url)).usage).toBeUndefined();
    await server.stop();
    server = undefined;
    expect((await failure(dialect, url)).usage).toEqual(ZERO_MODEL_USAGE);
  });

  it('names the variable of a refused key and never the key', async () => {
    const body = bodyFor(
      dialect,
      'Incorrect API key provided: sk-secret-1234567890 or sk-ant-secret-1234567890',
    );
    const { message } = await failureOf(dialect, { status: 401, body });
    expect(message).toContain(dialect === 'messages' ? 'ANTHROPIC_API_KEY' : 'OPENAI_API_KEY');
    expect(message).toContain('.dev.vars');
    expect(message).not.toContain('secret');
  });

  it('comes back when the provider says', async () => {
    const headers = { 'retry-after': '7' };
    const found = await failureOf(dialect, { status: 429, body: bodyFor(dialect, 'slow down'), headers });
    expect(found.retryAfterMs).toBe(7_000);
  });

  it('never waits longer than a quarter of an hour', async () => {
    const headers = { 'retry-after': '999999' };
    const found = await failureOf(dialect, { status: 503, body: bodyFor(dialect, 'later'), headers });
    expect(found.retryAfterMs).toBe(900_000);
  });

  it('of a body that is no JSON still has its status', async () => {
    server = await startServer((response) => response.writeHead(502).end('<h1>Bad gateway</h1>'));
    expect(await failure(dialect, server.url)).toMatchObject({
      type: 'model_request_failed_error',
      retryable: true,
    });
  });

  it('is retryable when nobody listens', async () => {
    server = await startServer((response) => response.end());
    const { url } = server;
    await server.stop();
    const found = await failure(dialect, url);
    expect(found).toMatchObject({ type: 'model_request_failed_error', retryable: true });
    expect(found.message).toMatch(/connection .* failed/i);
  });

  it('is retryable when the connection breaks in the middle of the stream', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(frame({ type: 'message_start' }).slice(0, 20), () => response.destroy());
    });
    expect(await failure(dialect, server.url)).toMatchObject({ retryable: true });
  });

  it('is retryable when the stream ends without an end', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(': nothing\n\n');
    });
    expect(await failure(dialect, server.url)).toMatchObject({ retryable: true });
  });

  it('says that the address is wrong when a web page answers', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end('<!doctype html><title>Welcome</title>');
    });
    const found = await failure(dialect, server.url);
    expect(found.retryable).toBe(false);
    expect(found.message).toContain('base address');
  });
});

describe('a failure', () => {
  it('for want of quota is a billing error and is not repeated', async () => {
    const quota = openai('You exceeded your current quota, please check your plan', 'insufficient_quota');
    expect(await failureOf('responses', { status: 429, body: quota })).toMatchObject({
      type: 'billing_error',
      retryable: false,
    });
    const credit = anthropic(
      'Your credit balance is too low to access the Anthropic API',
      'invalid_request_error',
    );
    expect(await failureOf('messages', { status: 400, body: credit })).toMatchObject({
      type: 'billing_error',
      retryable: false,
    });
  });

  it('inside an Anthropic stream is sorted by its type', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(frame(anthropic('Overloaded', 'overloaded_error'), 'error'));
    });
    expect(await failure('messages', server.url)).toMatchObject({
      type: 'model_overloaded_error',
      retryable: true,
    });
  });

  it('inside a Responses stream is sorted by its code', async () => {
    const error = { code: 'rate_limit_exceeded', message: 'Slow down' };
    const response = { id: 'resp_1', object: 'response', status: 'failed', error, output: [] };
    server = await startServer((reply) => {
      reply.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.end(frame({ type: 'response.failed', sequence_number: 1, response }, 'response.failed'));
    });
    const found = await failure('responses', server.url);
    expect(found).toMatchObject({ type: 'model_rate_limited_error', retryable: true });
    expect(found.message).toContain('Slow down');
  });

  it('inside a Chat stream is sorted by its type', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(frame({ error: { message: 'The engine failed', type: 'server_error', code: null } }));
    });
    expect(await failure('chat', server.url)).toMatchObject({
      type: 'model_request_failed_error',
      retryable: true,
    });
  });
});

describe('a refusal of Anthropic', () => {
  it('says its category and explanation, and what it meant to call is not called', async () => {
    const message = {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
      stop_reason: null,
    };
    const stop = { type: 'refusal', category: 'bio', explanation: 'Not this.' };
    const block = { type: 'tool_use', id: 'toolu_1', name: 'bash', input: {} };
    const delta = { stop_reason: 'refusal', stop_sequence: null, stop_details: stop };
    const events = [
      { type: 'message_start', message: { ...message, usage: { input_tokens: 1, output_tokens: 1 } } },
      { type: 'content_block_start', index: 0, content_block: block },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{}' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ];
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(events.map((event) => frame(event, event.type)).join(''));
    });
    const { end } = await collect(ask({ config: configFor('messages', server.url), context: [say('hi')] }));
    expect(end).toMatchObject({ refusal: stop, outputs: [] });
  });
});

describe('retryAfter', () => {
  const of = (headers: Record<string, string>) => retryAfter((name) => headers[name] ?? null, 1_000_000);

  it('reads milliseconds, seconds and dates, and ignores what is none', () => {
    expect(of({ 'retry-after-ms': '250', 'retry-after': '9' })).toBe(250);
    expect(of({ 'retry-after': '1.5' })).toBe(1_500);
    expect(of({ 'retry-after': new Date(1_004_000).toUTCString() })).toBe(4_000);
    expect(of({ 'retry-after': new Date(0).toUTCString() })).toBe(0);
    expect(of({ 'retry-after': 'soon' })).toBeNull();
    expect(of({})).toBeNull();
  });
});

describe('scrub', () => {
  it('takes what an address carries beside its place out', () => {
    const address = 'https://ann:pa55word@models.example/v1?api_key=abcd1234&model=m';
    expect(scrub(`cannot fetch ${address}.`, null)).toBe(
      'cannot fetch https://[key]@models.example/v1?api_key=[key]&model=m.',
    );
  });

  it('takes the configured key and anything like a key out', () => {
    expect(scrub('bad my-own-key here', 'my-own-key')).toBe('bad [key] here');
    expect(scrub('use sk-proj-abc_DEF123456 or Bearer abcdefgh1234', null)).toBe('use [key] or Bearer [key]');
  });
});

describe('a conversation that is too long', () => {
  const REFUSALS: readonly [dialect: DialectName, status: number, body: unknown][] = [
    [
      'messages',
      400,
      anthropic('prompt is too long: 209120 tokens > 200000 maximum', 'invalid_request_error'),
    ],
    [
      'messages',
      400,
      anthropic(
        'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000',
        'invalid_request_error',
      ),
    ],
    ['messages', 413, anthropic('Request exceeds the maximum size', 'request_too_large')],
    [
      'responses',
      400,
      openai('Your input exceeds the context window of this model.', 'context_length_exceeded'),
    ],
    ['responses', 400, openai('Input tokens exceed the configured limit of 272000 tokens.')],
    [
      'chat',
      400,
      openai("This model's maximum context length is 16384 tokens. However, you requested 122946."),
    ],
    [
      'chat',
      400,
      openai('Please reduce the length of the messages or completion.', 'context_length_exceeded'),
    ],
    [
      'chat',
      400,
      {
        error: {
          code: 400,
          message: 'the request exceeds the available context size',
          type: 'exceed_context_size_error',
        },
      },
    ],
    [
      'chat',
      400,
      openai('The prompt (total length 25938) is too long to fit into the model (context length 4096).'),
    ],
    ['chat', 500, openai('Context size has been exceeded.')],
    [
      'chat',
      400,
      openai('The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'),
    ],
    ['chat', 422, openai('Input is too long for requested model.')],
  ];

  it.each(REFUSALS)('is told over %s with status %i: %j', async (dialect, status, body) => {
    const found = await failureOf(dialect, { status, body });
    expect(found).toMatchObject({ contextTooLong: true, badMedia: false, retryable: false });
    expect(found.type).toBe('model_request_failed_error');
  });

  it('is told in the middle of a stream as well', async () => {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const error = { code: 'context_length_exceeded', message: 'Your input exceeds the context window.' };
      const failed = { id: 'r', object: 'response', status: 'failed', output: [], error };
      response.end(frame({ type: 'response.failed', sequence_number: 0, response: failed }));
    });
    expect(await failure('responses', server.url)).toMatchObject({ contextTooLong: true, retryable: false });
  });

  it('is not what other refusals are about', async () => {
    const others: [number, unknown][] = [
      [400, openai("Invalid value for 'tools[0].name'.")],
      [400, openai('max_tokens is too large: 200000. This model supports at most 16384 completion tokens.')],
      [429, openai('Rate limit reached: too many tokens per minute. Your input exceeds the limit.')],
      [500, openai('The server had an error')],
    ];
    for (const [status, body] of others) {
      expect((await failureOf('chat', { status, body })).contextTooLong).toBe(false);
      await server?.stop();
    }
  });
});

describe('an image or document that is refused', () => {
  const source = { type: 'base64' as const, media_type: 'image/png', data: 'iVBORw0KGgo=' };
  const seen: ContextItem[] = [{ type: 'user', content: [{ type: 'image', source }] }, say('what is it?')];

  async function refused(dialect: DialectName, reply: Reply, context: readonly ContextItem[]) {
    server = await startServer((response) => {
      response.writeHead(reply.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(reply.body));
    });
    const found = await failure(dialect, server.url, context);
    await server.stop();
    return found;
  }

  const REFUSALS: readonly [dialect: DialectName, status: number, body: unknown][] = [
    ['messages', 400, anthropic('Could not process image', 'invalid_request_error')],
    ['messages', 400, anthropic('messages.0.content.0.document.source: The PDF was not valid.', 'x')],
    ['responses', 400, openai('You uploaded an unsupported file.', 'image_parse_error')],
    ['chat', 400, openai('Failed to download image from https://h/x.png.', 'invalid_image_url')],
    ['chat', 404, openai('No endpoints found that support image input')],
    ['chat', 422, openai('messages[1]: unknown variant `image_url`, expected `text`')],
    ['chat', 400, openai("'content' must be a string")],
  ];

  it.each(REFUSALS)('is named over %s with status %i: %j', async (dialect, status, body) => {
    const found = await refused(dialect, { status, body }, seen);
    expect(found).toMatchObject({ badMedia: true, contextTooLong: false, retryable: false });
    expect(found.message).toMatch(/refused an image or document/);
  });

  it('is not blamed where none was sent', async () => {
    const body = anthropic('Could not process image', 'invalid_request_error');
    expect((await refused('messages', { status: 400, body }, [say('hi')])).badMedia).toBe(false);
  });

  it('is not blamed for another mistake', async () => {
    const body = openai("Invalid value for 'temperature'.");
    expect((await refused('chat', { status: 400, body }, seen)).badMedia).toBe(false);
    const unknown = openai('The model gpt-4-vision does not exist', 'model_not_found');
    expect((await refused('chat', { status: 404, body: unknown }, seen)).badMedia).toBe(false);
    const overloaded = openai('The media service is overloaded');
    expect((await refused('chat', { status: 503, body: overloaded }, seen)).badMedia).toBe(false);
  });
});
