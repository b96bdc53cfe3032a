import OpenAI from 'openai';
import type { FunctionTool, ResponseInput, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DevModel, startDevModel } from './dev-model.ts';

const tools: FunctionTool[] = [
  {
    type: 'function',
    name: 'bash',
    strict: false,
    parameters: { type: 'object', properties: { command: { type: 'string' } } },
  },
];

describe('Responses through the official SDK', () => {
  let model: DevModel;
  let client: OpenAI;
  beforeAll(async () => {
    model = await startDevModel();
    client = new OpenAI({ apiKey: 'any', baseURL: `${model.url}/v1`, maxRetries: 0 });
  });
  afterAll(() => model.stop());

  const create = (input: string | ResponseInput) => client.responses.create({ model: 'm', input, tools });

  async function events(input: string): Promise<ResponseStreamEvent[]> {
    return Array.fromAsync(await client.responses.create({ model: 'm', input, tools, stream: true }));
  }

  it('answers with output text', async () => {
    const response = await create('say hi');
    expect(response.status).toBe('completed');
    expect(response.output_text).toMatch(/^Hi!/);
  });

  it('streams numbered events that add up to the final response', async () => {
    const all = await events('[[think a b]] [[words 5]]');
    expect(all.map((event) => event.sequence_number)).toEqual(all.map((_, index) => index));
    const deltas = all.flatMap((event) => (event.type === 'response.output_text.delta' ? event.delta : []));
    expect(deltas.join('')).toBe('w1 w2 w3 w4 w5');
    expect(deltas).toHaveLength(5);
    const last = all.at(-1);
    expect(last?.type).toBe('response.completed');
    const done = all.flatMap((event) => (event.type === 'response.output_item.done' ? event.item : []));
    expect(last?.type === 'response.completed' && last.response.output).toEqual(done);
    expect(done.map((item) => item.type)).toEqual(['reasoning', 'message']);
  });

  it("satisfies the SDK's own stream accumulator", async () => {
    const accumulated = client.responses.stream({
      model: 'm',
      input: '[[think]] [[say a b]] [[ptools 2]]',
      tools,
    });
    const final = await accumulated.finalResponse();
    expect(final.output.map((item) => item.type)).toEqual([
      'reasoning',
      'message',
      'function_call',
      'function_call',
    ]);
    expect(final.output_text).toBe('a b');
  });

  it('takes a tool call round trip', async () => {
    const first = await create('Run: uname -a');
    const [call] = first.output;
    expect(call).toMatchObject({ type: 'function_call', name: 'bash', arguments: '{"command":"uname -a"}' });
    if (call?.type !== 'function_call') return;
    const second = await create([
      { role: 'user', content: 'Run: uname -a' },
      call,
      { type: 'function_call_output', call_id: call.call_id, output: 'Linux' },
    ]);
    expect(second.output_text).toBe('The command printed:\n\n```\nLinux\n```');
  });

  it('gives reasoning sealed content when it is asked for', async () => {
    const response = await client.responses.create({
      model: 'm',
      input: '[[think secret]] [[say x]]',
      include: ['reasoning.encrypted_content'],
    });
    expect(response.output[0]).toMatchObject({ type: 'reasoning', encrypted_content: expect.any(String) });
  });

  it('ends empty, truncated and refused replies each in their own way', async () => {
    expect((await create('[[empty]]')).output).toEqual([]);
    expect(await create('[[words 3]] [[truncate]]')).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
    });
    expect((await events('[[words 3]] [[truncate]]')).at(-1)?.type).toBe('response.incomplete');
    expect((await create('[[refuse No.]]')).output[0]).toMatchObject({
      content: [{ type: 'refusal', refusal: 'No.' }],
    });
  });

  it('reports the scripted usage', async () => {
    expect((await create('[[say x]] [[usage 10 5 4]]')).usage).toMatchObject({
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 4 },
      output_tokens: 5,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 15,
    });
  });

  it('fails before, in the midst of and instead of a stream', async () => {
    await expect(create('[[fail 429]]')).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    const all = await events('[[words 9]] [[fail 500 after=2]]');
    expect(all.at(-1)).toMatchObject({ type: 'response.failed', response: { status: 'failed' } });
    await expect(events('[[words 9]] [[cut 2]]')).rejects.toThrow();
  });

  it('refuses what it cannot read, naming the parameter', async () => {
    const refusal = async (body: object) => {
      const response = await fetch(`${model.url}/v1/responses`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      return [response.status, await response.json()];
    };
    expect(await refusal({ input: 'x' })).toMatchObject([400, { error: { param: 'model' } }]);
    expect(await refusal({ model: 'm' })).toMatchObject([400, { error: { param: 'input' } }]);
    expect(await refusal({ model: 'm', input: 'x', previous_response_id: 'resp_1' })).toMatchObject([
      400,
      { error: { code: 'previous_response_not_found' } },
    ]);
    expect(await refusal({ model: 'm', input: [{ type: 'mcp_call' }] })).toMatchObject([
      400,
      { error: { param: 'input[0].type' } },
    ]);
    const orphan = { type: 'function_call', call_id: 'call_9', name: 'bash', arguments: '{}' };
    expect(await refusal({ model: 'm', input: [orphan] })).toMatchObject([
      400,
      { error: { message: 'No tool output found for function call call_9.' } },
    ]);
  });
});
