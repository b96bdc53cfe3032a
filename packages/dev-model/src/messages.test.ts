import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DevModel, startDevModel } from './dev-model.ts';

const tools: Anthropic.Tool[] = [
  { name: 'bash', input_schema: { type: 'object', properties: { command: { type: 'string' } } } },
  {
    name: 'read',
    input_schema: { type: 'object', properties: { file_path: { type: 'string' } }, required: ['file_path'] },
  },
];

describe('Messages through the official SDK', () => {
  let model: DevModel;
  let client: Anthropic;
  beforeAll(async () => {
    model = await startDevModel();
    client = new Anthropic({ apiKey: 'any', baseURL: model.url, maxRetries: 0 });
  });
  afterAll(() => model.stop());

  const request = (content: string) => ({
    model: 'm',
    max_tokens: 100,
    tools,
    messages: [{ role: 'user' as const, content }],
  });
  const create = (content: string) => client.messages.create(request(content));

  it('answers a greeting', async () => {
    const reply = await create('say hi');
    expect(reply).toMatchObject({
      type: 'message',
      role: 'assistant',
      stop_reason: 'end_turn',
      stop_sequence: null,
    });
    expect(reply.content[0]?.type === 'text' && reply.content[0].text).toMatch(/^Hi!/);
  });

  it('streams the events in their order, word by word', async () => {
    const events = await Array.fromAsync(
      await client.messages.create({ ...request('[[words 3]]'), stream: true }),
    );
    expect(events.map((event) => event.type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('streams the very message it gives whole', async () => {
    for (const text of [
      '[[think a b]] [[say c d]] [[ptools 2]]',
      'Run: ls',
      '[[refuse No.]]',
      '[[empty]]',
      '[[size 9000]]',
    ]) {
      const streamed = await client.messages.stream(request(text)).finalMessage();
      const whole = await create(text);
      const comparable = (message: Anthropic.Message) => ({
        ...message,
        id: '',
        parsed_output: null,
        usage: { ...message.usage, server_tool_use: null },
        content: message.content.map((block) => ('id' in block ? { ...block, id: '' } : block)),
      });
      expect(JSON.parse(JSON.stringify(comparable(streamed)))).toEqual(comparable(whole));
    }
  });

  it('takes a tool call round trip and says when the tool failed', async () => {
    const first = await create('read notes.txt');
    const [call] = first.content;
    expect(first.stop_reason).toBe('tool_use');
    expect(call).toMatchObject({ type: 'tool_use', name: 'read', input: { file_path: 'notes.txt' } });
    const id = call?.type === 'tool_use' ? call.id : '';
    const after = async (content: string, is_error: boolean) => {
      const reply = await client.messages.create({
        ...request(''),
        messages: [
          { role: 'user', content: 'read notes.txt' },
          { role: 'assistant', content: first.content },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: id, content, is_error }] },
        ],
      });
      return reply.content[0]?.type === 'text' ? reply.content[0].text : '';
    };
    expect(await after('one\ntwo\n', false)).toBe('notes.txt contains:\n\n```\none\ntwo\n```');
    expect(await after('no such file', true)).toBe('The read tool failed:\n\n```\nno such file\n```');
  });

  it('counts cached tokens apart, and only when caching is asked for', async () => {
    const long: Anthropic.MessageParam[] = [
      { role: 'user', content: 'x'.repeat(8000) },
      { role: 'assistant', content: 'y' },
      { role: 'user', content: 'z' },
    ];
    const without = await client.messages.create({ ...request(''), messages: long });
    const system = [
      { type: 'text' as const, text: 'Be kind.', cache_control: { type: 'ephemeral' as const } },
    ];
    const cached = await client.messages.create({ ...request(''), system, messages: long });
    expect(without.usage.cache_read_input_tokens).toBe(0);
    expect(cached.usage.cache_read_input_tokens).toBeGreaterThan(1900);
    expect(cached.usage.input_tokens).toBeLessThan(200);
  });

  it('gives the errors the SDK knows', async () => {
    await expect(create('[[fail 401]]')).rejects.toBeInstanceOf(Anthropic.AuthenticationError);
    await expect(create('[[fail 429]]')).rejects.toBeInstanceOf(Anthropic.RateLimitError);
    const overloaded = await create('[[fail 529]]').catch((error: unknown) => error);
    expect(overloaded).toMatchObject({
      status: 529,
      type: 'overloaded_error',
      requestID: expect.stringMatching(/^req_/),
    });
  });

  it('fails in the midst of a stream', async () => {
    const failing = client.messages.stream(request('[[words 9]] [[fail 529 after=3]]')).finalMessage();
    await expect(failing).rejects.toThrow(/overloaded_error/);
    await expect(client.messages.stream(request('[[words 9]] [[cut]]')).finalMessage()).rejects.toThrow();
  });

  it('lets the SDK retry over a failure that happens once', async () => {
    const patient = new Anthropic({ apiKey: 'any', baseURL: model.url, maxRetries: 1 });
    const reply = await patient.messages.create(request('[[failonce 429 retry-after=0]] [[say through]]'));
    expect(reply.content).toMatchObject([{ type: 'text', text: 'through' }]);
  });

  it('refuses a request that lacks what the protocol demands', async () => {
    const post = async (
      body: object,
      headers: Record<string, string> = { 'anthropic-version': '2023-06-01' },
    ) => {
      const response = await fetch(`${model.url}/v1/messages`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return [response.status, await response.json()];
    };
    const messages = [{ role: 'user', content: 'x' }];
    const says = (message: string) => [
      400,
      {
        type: 'error',
        error: { type: 'invalid_request_error', message },
        request_id: expect.stringMatching(/^req_/),
      },
    ];
    expect(await post({ messages, max_tokens: 1 })).toEqual(says('model: Field required'));
    expect(await post({ model: 'm', max_tokens: 1 })).toEqual(says('messages: Field required'));
    expect(await post({ model: 'm', messages })).toEqual(says('max_tokens: Field required'));
    expect(await post({ model: 'm', messages, max_tokens: 1 }, {})).toEqual(
      says('anthropic-version: header is required'),
    );
  });

  it('refuses a tool call whose result does not follow at once', async () => {
    const call = { type: 'tool_use' as const, id: 'toolu_1', name: 'bash', input: {} };
    const result = { type: 'tool_result' as const, tool_use_id: 'toolu_1', content: 'x' };
    const ask = (content: Anthropic.ContentBlockParam[]) =>
      client.messages.create({
        ...request(''),
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: [call] },
          { role: 'user', content },
        ],
      });
    await expect(ask([{ type: 'text', text: 'first' }, result])).rejects.toThrow(/toolu_1/);
    await expect(ask([result, { ...result }])).rejects.toThrow(/unexpected `tool_use_id`/);
    await expect(ask([result, { type: 'text', text: '[[say fine]]' }])).resolves.toBeDefined();
  });

  it('lists its models', async () => {
    expect((await client.models.list()).data.map((listed) => listed.id)).toEqual(['capstan-dev']);
  });
});
