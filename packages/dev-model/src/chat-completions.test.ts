import OpenAI from 'openai';
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DevModel, startDevModel } from './dev-model.ts';

const tools: ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'bash',
      parameters: {
        type: 'object',
        properties: { command: { type: 'string' }, restart: { type: 'boolean' } },
      },
    },
  },
];
const user = (content: string): ChatCompletionMessageParam => ({ role: 'user', content });

describe('Chat Completions through the official SDK', () => {
  let model: DevModel;
  let client: OpenAI;
  beforeAll(async () => {
    model = await startDevModel();
    client = new OpenAI({ apiKey: 'any', baseURL: `${model.url}/v1`, maxRetries: 0 });
  });
  afterAll(() => model.stop());

  const complete = (content: string) =>
    client.chat.completions.create({ model: 'm', messages: [user(content)], tools });

  async function stream(content: string, includeUsage = false) {
    const chunks = await client.chat.completions.create({
      model: 'm',
      messages: [user(content)],
      tools,
      stream: true,
      stream_options: { include_usage: includeUsage },
    });
    return Array.fromAsync(chunks);
  }

  it('answers a greeting', async () => {
    const reply = await complete('say hi');
    expect(reply.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { role: 'assistant', refusal: null },
    });
    expect(reply.choices[0]?.message.content).toMatch(/^Hi!/);
  });

  it('streams word by word and ends with the usage only when asked', async () => {
    const chunks = await stream('[[words 20]]', true);
    const deltas = chunks.flatMap((chunk) => chunk.choices[0]?.delta.content || []);
    expect(deltas).toHaveLength(20);
    expect(deltas.join('')).toBe(Array.from({ length: 20 }, (_, index) => `w${index + 1}`).join(' '));
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) } });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect((await stream('say hi')).some((chunk) => 'usage' in chunk)).toBe(false);
  });

  it('takes a tool call round trip', async () => {
    const first = await complete('Run: uname -a');
    const message = first.choices[0]?.message;
    const [call] = message?.tool_calls ?? [];
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    expect(message?.content).toBeNull();
    expect(call).toMatchObject({
      type: 'function',
      function: { name: 'bash', arguments: '{"command":"uname -a"}' },
    });
    const second = await client.chat.completions.create({
      model: 'm',
      tools,
      messages: [
        user('Run: uname -a'),
        { role: 'assistant', tool_calls: message?.tool_calls },
        { role: 'tool', tool_call_id: call?.id ?? '', content: 'Linux 6.1\n' },
      ],
    });
    expect(second.choices[0]?.message.content).toBe('The command printed:\n\n```\nLinux 6.1\n```');
  });

  it('streams the arguments of several calls in pieces', async () => {
    const calls = new Map<number, { id: string; name: string; args: string }>();
    for (const chunk of await stream(`[[ptools 2 bash {"command":"echo ${'long '.repeat(20)}"}]]`)) {
      for (const delta of chunk.choices[0]?.delta.tool_calls ?? []) {
        const call = calls.get(delta.index) ?? {
          id: delta.id ?? '',
          name: delta.function?.name ?? '',
          args: '',
        };
        call.args += delta.function?.arguments ?? '';
        calls.set(delta.index, call);
      }
    }
    expect([...calls.values()].map((call) => JSON.parse(call.args).command.length)).toEqual([105, 105]);
    expect(new Set([...calls.values()].map((call) => call.id)).size).toBe(2);
  });

  it('refuses in the refusal member', async () => {
    const reply = await complete('[[refuse No.]]');
    expect(reply.choices[0]?.message).toMatchObject({ content: null, refusal: 'No.' });
    const deltas = (await stream('[[refuse No.]]')).map((chunk) => chunk.choices[0]?.delta.refusal ?? '');
    expect(deltas.join('')).toBe('No.');
  });

  it('reports the scripted usage with cached and reasoning tokens', async () => {
    const reply = await complete('[[think hmm]] [[say x]] [[usage 1000 50 200]]');
    expect(reply.usage).toMatchObject({
      prompt_tokens: 1000,
      completion_tokens: 50,
      total_tokens: 1050,
      prompt_tokens_details: { cached_tokens: 200 },
      completion_tokens_details: { reasoning_tokens: 1 },
    });
  });

  it('says length when truncated', async () => {
    expect((await complete('[[words 3]] [[truncate]]')).choices[0]?.finish_reason).toBe('length');
  });

  it('gives the errors the SDK knows', async () => {
    await expect(complete('[[fail 401]]')).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(complete('[[fail 500]]')).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    const limited = await complete('[[fail 429 retry-after=2]]').catch((error: unknown) => error);
    expect(limited).toBeInstanceOf(OpenAI.RateLimitError);
    expect(limited).toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
      requestID: expect.stringMatching(/^req_/),
    });
    expect(limited instanceof OpenAI.RateLimitError && limited.headers.get('retry-after')).toBe('2');
  });

  it('fails in the midst of a stream', async () => {
    await expect(stream('[[words 9]] [[fail 500 after=3]]')).rejects.toThrow(
      'The script asks for status 500.',
    );
    await expect(stream('[[words 9]] [[cut]]')).rejects.toThrow();
  });

  it('refuses a request without model or messages', async () => {
    const post = async (body: unknown) => {
      const response = await fetch(`${model.url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      return [response.status, await response.json()];
    };
    expect(await post({ messages: [user('x')] })).toEqual([
      400,
      {
        error: {
          message: 'you must provide a model parameter',
          type: 'invalid_request_error',
          param: 'model',
          code: null,
        },
      },
    ]);
    expect(await post({ model: 'm' })).toMatchObject([400, { error: { param: 'messages' } }]);
    expect(await post({ model: 'm', messages: [{ role: 'bot', content: '' }] })).toMatchObject([
      400,
      { error: { param: 'messages[0].role' } },
    ]);
  });

  it('refuses a tool call left without its result', async () => {
    const call = { id: 'call_1', type: 'function' as const, function: { name: 'bash', arguments: '{}' } };
    const ask = (messages: ChatCompletionMessageParam[]) =>
      client.chat.completions.create({ model: 'm', messages });
    await expect(ask([user('a'), { role: 'assistant', tool_calls: [call] }, user('b')])).rejects.toThrow(
      /call_1/,
    );
    const late: ChatCompletionMessageParam = { role: 'tool', tool_call_id: 'call_1', content: '' };
    await expect(
      ask([user('a'), { role: 'assistant', tool_calls: [call] }, user('b'), late]),
    ).rejects.toThrow(/call_1/);
    await expect(ask([user('a'), { role: 'tool', tool_call_id: 'call_2', content: '' }])).rejects.toThrow(
      /call_2/,
    );
  });

  it('lists its models', async () => {
    expect((await client.models.list()).data.map((listed) => listed.id)).toEqual(['capstan-dev']);
  });
});
