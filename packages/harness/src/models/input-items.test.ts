import type { ContextItem } from '@capstan/session/harness';
import { afterEach, describe, expect, it } from 'vitest';
import {
  agentOf,
  ask,
  collect,
  configFor,
  DIALECTS,
  type DialectName,
  frame,
  logged,
  messagesOf,
  modelFor,
  say,
  sentBy,
  startServer,
  type TestServer,
} from '../testing.ts';
import { at, list } from './values.ts';

let server: TestServer | undefined;
afterEach(() => server?.stop());

const PIXEL = 'iVBORw0KGgo=';

/** What a server is sent for a context. */
function sentFor(dialect: DialectName, context: readonly ContextItem[], model?: string) {
  return sentBy(dialect, model === undefined ? { context } : { context, agent: agentOf({ id: model }) });
}

function call(callId: string, name = 'bash', opaque?: string): ContextItem {
  return { type: 'tool_call', callId, name, input: { command: callId }, opaque };
}

function result(callId: string, text: string, isError = false): ContextItem {
  return { type: 'tool_result', callId, content: [{ type: 'text', text }], isError };
}

/** Ids of calls and results as they stand in what was sent. */
function pairs(dialect: DialectName, body: Record<string, unknown>): string[] {
  return messagesOf(dialect, body).flatMap((item): string[] => {
    if (at(item, 'type') === 'function_call') return [`call ${at(item, 'call_id')}`];
    if (at(item, 'type') === 'function_call_output') return [`result ${at(item, 'call_id')}`];
    if (at(item, 'role') === 'tool') return [`result ${at(item, 'tool_call_id')}`];
    const calls = list(at(item, 'tool_calls')).map((one) => `call ${at(one, 'id')}`);
    const blocks = list(at(item, 'content')).flatMap((block) => {
      if (at(block, 'type') === 'tool_use') return [`call ${at(block, 'id')}`];
      return at(block, 'type') === 'tool_result' ? [`result ${at(block, 'tool_use_id')}`] : [];
    });
    return [...calls, ...blocks];
  });
}

describe.each(DIALECTS)('the context over %s', (dialect) => {
  it('has every result right behind its calls, whatever the order of the log', async () => {
    const context = [say('go'), call('a'), call('b'), result('b', 'B'), result('a', 'A'), say('more')];
    const body = await sentFor(dialect, context);
    expect(pairs(dialect, body)).toEqual(['call a', 'call b', 'result a', 'result b']);
  });

  it('keeps the rounds of a turn apart', async () => {
    const body = await sentFor(dialect, [
      say('go'),
      call('a'),
      result('a', 'A'),
      call('b'),
      result('b', 'B'),
    ]);
    expect(pairs(dialect, body)).toEqual(['call a', 'result a', 'call b', 'result b']);
  });

  it('gives a call without a result one that says so', async () => {
    const body = await sentFor(dialect, [say('go'), call('a'), say('well?')]);
    expect(pairs(dialect, body)).toEqual(['call a', 'result a']);
    expect(JSON.stringify(body)).toContain('No result was recorded');
  });

  it('says that a result is an error', async () => {
    const body = await sentFor(dialect, [say('go'), call('a'), result('a', 'boom', true)]);
    expect(JSON.stringify(body)).toContain('Error:\\nboom');
  });

  it('carries an image of the user', async () => {
    const image = {
      type: 'image' as const,
      source: { type: 'base64' as const, media_type: 'image/png', data: PIXEL },
    };
    const content = [{ type: 'text' as const, text: 'see' }, image];
    const body = await sentFor(dialect, [{ type: 'user', content }]);
    expect(JSON.stringify(body)).toContain(PIXEL);
    expect(JSON.stringify(body)).toContain('image/png');
  });

  it('carries an image of a tool result, in the result or right behind it', async () => {
    const image = {
      type: 'image' as const,
      source: { type: 'base64' as const, media_type: 'image/png', data: PIXEL },
    };
    const seen: ContextItem = { type: 'tool_result', callId: 'a', content: [image], isError: false };
    const body = await sentFor(dialect, [say('go'), call('a', 'read'), seen]);
    expect(JSON.stringify(body)).toContain(PIXEL);
    expect(pairs(dialect, body)).toEqual(['call a', 'result a']);
  });

  it('carries documents as text or file, with their title', async () => {
    const pdf = { type: 'base64' as const, media_type: 'application/pdf', data: 'JVBERi0xLjQ=' };
    const plain = { type: 'text' as const, media_type: 'text/plain' as const, data: 'plain words' };
    const content = [
      { type: 'document' as const, source: pdf, title: 'Report' },
      { type: 'document' as const, source: plain, title: 'Notes' },
    ];
    const sent = JSON.stringify(await sentFor(dialect, [{ type: 'user', content }]));
    expect(sent).toContain('JVBERi0xLjQ=');
    expect(sent).toContain('plain words');
    expect(sent).toContain('Document: Report');
  });

  it('has the system prompt, the built-in tools that are enabled and custom tools', async () => {
    server = await startServer((response) => response.writeHead(400).end('{}'));
    const config = configFor(dialect, server.url);
    const policy = { type: 'always_allow' as const };
    const schema = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] };
    const agent = agentOf(
      { id: modelFor(config) },
      {
        system: 'Be brief.',
        tools: [
          {
            type: 'agent_toolset_20260401',
            default_config: { enabled: true, permission_policy: policy },
            configs: [{ type: 'grep', name: 'grep', enabled: false, permission_policy: policy }],
          },
          { type: 'custom', name: 'weather', description: 'Tells the weather', input_schema: schema },
        ],
      },
    );
    await collect(ask({ config, agent, context: [say('hi')] })).catch(() => undefined);
    const sent = server.bodies[0] ?? {};
    const names = list(sent.tools).map((tool) => at(tool, 'name') ?? at(tool, 'function', 'name'));
    expect(names).toEqual(['bash', 'read', 'write', 'edit', 'glob', 'weather']);
    expect(JSON.stringify(sent)).toContain('Be brief.');
    expect(JSON.stringify(sent.tools)).toContain('"city"');
  });
});

describe('replay', () => {
  const thinkingReply = [
    frame(
      {
        type: 'message_start',
        message: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: 'm',
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: {
            input_tokens: 50,
            output_tokens: 1,
            cache_read_input_tokens: 30,
            cache_creation_input_tokens: 20,
          },
        },
      },
      'message_start',
    ),
    frame(
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'thinking', thinking: '', signature: '' },
      },
      'content_block_start',
    ),
    frame(
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hmm.' } },
      'content_block_delta',
    ),
    frame(
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'c2lnbmVk' } },
      'content_block_delta',
    ),
    frame({ type: 'content_block_stop', index: 0 }, 'content_block_stop'),
    frame(
      {
        type: 'content_block_start',
        index: 1,
        content_block: { type: 'redacted_thinking', data: 'cmVkYWN0ZWQ=' },
      },
      'content_block_start',
    ),
    frame({ type: 'content_block_stop', index: 1 }, 'content_block_stop'),
    frame(
      {
        type: 'content_block_start',
        index: 2,
        content_block: { type: 'tool_use', id: 'toolu_9', name: 'bash', input: {} },
      },
      'content_block_start',
    ),
    frame(
      {
        type: 'content_block_delta',
        index: 2,
        delta: { type: 'input_json_delta', partial_json: '{"command":"ls"}' },
      },
      'content_block_delta',
    ),
    frame({ type: 'content_block_stop', index: 2 }, 'content_block_stop'),
    frame(
      {
        type: 'message_delta',
        delta: { stop_reason: 'tool_use', stop_sequence: null },
        usage: { output_tokens: 9 },
      },
      'message_delta',
    ),
    frame({ type: 'message_stop' }, 'message_stop'),
  ].join('');

  const reasoningItem = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'c2VhbGVk' };
  const callItem = {
    type: 'function_call',
    id: 'fc_1',
    call_id: 'call_9',
    name: 'bash',
    arguments: '{"command": "ls"}',
    status: 'completed',
  };
  const usage = {
    input_tokens: 100,
    input_tokens_details: { cached_tokens: 64 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 2 },
    total_tokens: 105,
  };
  const completed = {
    id: 'resp_1',
    object: 'response',
    status: 'completed',
    output: [reasoningItem, callItem],
    usage,
  };
  const sealedReply = [
    frame({
      type: 'response.created',
      sequence_number: 0,
      response: { ...completed, status: 'in_progress', output: [] },
    }),
    frame({ type: 'response.output_item.added', sequence_number: 1, output_index: 0, item: reasoningItem }),
    frame({ type: 'response.output_item.added', sequence_number: 2, output_index: 1, item: callItem }),
    frame({ type: 'response.completed', sequence_number: 3, response: completed }),
  ].join('');

  async function replied(dialect: DialectName, reply: string) {
    server = await startServer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(reply);
    });
    const config = configFor(dialect, server.url);
    const collected = await collect(ask({ config, context: [say('go')] }));
    await server.stop();
    return { ...collected, outputs: logged(collected.end.outputs), model: modelFor(config) };
  }

  it('gives Anthropic its thinking back with signatures, before the call with its own id', async () => {
    const { outputs, end, parts } = await replied('messages', thinkingReply);
    expect(parts.filter((part) => part.type !== 'end').map((part) => part.type)).toEqual([
      'thinking',
      'thinking',
      'tool_call',
    ]);
    expect(end.usage).toEqual({
      input_tokens: 50,
      output_tokens: 9,
      cache_read_input_tokens: 30,
      cache_creation_input_tokens: 20,
    });
    const body = await sentFor('messages', [say('go'), ...outputs, result('sevt_2', 'done')]);
    const [, assistant, user] = messagesOf('messages', body);
    expect(at(assistant, 'content')).toEqual([
      { type: 'thinking', thinking: 'Hmm.', signature: 'c2lnbmVk' },
      { type: 'redacted_thinking', data: 'cmVkYWN0ZWQ=' },
      expect.objectContaining({ type: 'tool_use', id: 'toolu_9', input: { command: 'ls' } }),
    ]);
    expect(at(user, 'content', 0)).toMatchObject({ type: 'tool_result', tool_use_id: 'toolu_9' });
  });

  it('gives OpenAI its sealed reasoning back, and arguments as they were written', async () => {
    const { outputs, end } = await replied('responses', sealedReply);
    expect(end.usage).toEqual({
      input_tokens: 36,
      output_tokens: 5,
      cache_read_input_tokens: 64,
      cache_creation_input_tokens: 0,
    });
    const body = await sentFor('responses', [say('go'), ...outputs, result('sevt_1', 'done')]);
    const [, reasoning, called, output] = messagesOf('responses', body);
    expect(reasoning).toMatchObject({ type: 'reasoning', encrypted_content: 'c2VhbGVk', summary: [] });
    expect(called).toMatchObject({
      type: 'function_call',
      call_id: 'call_9',
      arguments: '{"command": "ls"}',
    });
    expect(output).toMatchObject({ type: 'function_call_output', call_id: 'call_9' });
    expect(body).toMatchObject({ store: false, include: ['reasoning.encrypted_content'] });
  });

  it('falls back to the plain form for another model, with ids of our own', async () => {
    const { outputs } = await replied('messages', thinkingReply);
    const body = await sentFor(
      'messages',
      [say('go'), ...outputs, result('sevt_2', 'done')],
      'claude-other-2',
    );
    expect(JSON.stringify(body)).not.toContain('c2lnbmVk');
    expect(pairs('messages', body)).toEqual(['call sevt_2', 'result sevt_2']);
    const chat = await sentFor('chat', [say('go'), ...outputs, result('sevt_2', 'done')]);
    expect(pairs('chat', chat)).toEqual(['call sevt_2', 'result sevt_2']);
  });
});
