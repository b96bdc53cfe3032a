import { startDevModel } from '@capstan/dev-model/dev-model';
import { type ContextItem, isModelFailure } from '@capstan/session/harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  agentOf,
  ask,
  type Collected,
  collect,
  configFor,
  DIALECTS,
  logged,
  modelFor,
  say,
} from '../testing.ts';

let dev: Awaited<ReturnType<typeof startDevModel>>;

beforeAll(async () => {
  dev = await startDevModel();
});
afterAll(() => dev.stop());

async function failureOf(call: AsyncIterable<unknown>) {
  try {
    for await (const _ of call);
  } catch (error) {
    if (isModelFailure(error)) return error;
    throw error;
  }
  throw new TypeError('The call did not fail.');
}

function said({ end }: Collected): string[] {
  return end.outputs.flatMap((output) => (output.type === 'message' ? [output.text] : []));
}

describe.each(DIALECTS)('a call over %s', (dialect) => {
  const reply = (text: string, context: ContextItem[] = []) =>
    collect(ask({ config: configFor(dialect, dev.url), context: [...context, say(text)] }));

  it('streams the text it ends with', async () => {
    const collected = await reply('[[say one two three]]');
    const deltas = collected.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
    expect(deltas.length).toBeGreaterThan(1);
    expect(deltas.join('')).toBe('one two three');
    expect(said(collected)).toEqual(['one two three']);
    expect(collected.end.refusal).toBeNull();
  });

  it('numbers thinking and text as the end has them', async () => {
    const { parts, end } = await reply('[[think deeply about it]] [[say done now]]');
    const kinds = new Set(parts.flatMap((part) => ('output' in part ? [`${part.type} ${part.output}`] : [])));
    expect([...kinds]).toEqual(['thinking 0', 'text 1']);
    expect(end.outputs).toEqual([
      { type: 'thinking', opaque: expect.any(String) },
      expect.objectContaining({ type: 'message', text: 'done now' }),
    ]);
  });

  it('keeps what was said when the reply reaches its limit', async () => {
    const collected = await reply('[[words 40]] [[truncate]]');
    expect(said(collected)[0]).toMatch(/^w1 w2/);
    expect(collected.end.refusal).toBeNull();
  });

  it('tells a tool call as it begins and gives its input at the end', async () => {
    const { parts, end } = await reply('[[tool bash {"command":"uname -a"}]]');
    expect(parts).toContainEqual({ type: 'tool_call', name: 'bash' });
    expect(end.outputs).toContainEqual(
      expect.objectContaining({ type: 'tool_call', name: 'bash', input: { command: 'uname -a' } }),
    );
  });

  it('goes on after a tool result, which reaches the model under its own call', async () => {
    const first = await reply('[[tool bash {"command":"uname"}]] [[say finished]]');
    const calls = logged(first.end.outputs);
    const call = calls.find((item) => item.type === 'tool_call');
    const content = [{ type: 'text' as const, text: 'Linux' }];
    const result: ContextItem = { type: 'tool_result', callId: call?.callId ?? '', content, isError: false };
    const context = [say('[[tool bash {"command":"uname"}]] [[say finished]]'), ...calls, result];
    const next = await collect(ask({ config: configFor(dialect, dev.url), context }));
    expect(said(next)).toEqual(['finished']);
  });

  it('carries several calls of one reply', async () => {
    const { end } = await reply('[[ptools 2 bash {"command":"a"}]]');
    const calls = end.outputs.filter((output) => output.type === 'tool_call');
    expect(calls.map((call) => call.name)).toEqual(['bash', 'bash']);
  });

  it('gives no input and says why when the arguments are no JSON object', async () => {
    const { end } = await reply('[[badjson bash]]');
    const call = end.outputs.find((output) => output.type === 'tool_call');
    expect(call).toMatchObject({ name: 'bash', input: null });
    expect(call?.type === 'tool_call' && call.problem).toMatch(/not a JSON object/);
  });

  it('counts tokens without those of the cache', async () => {
    const { end } = await reply('[[usage 100 7 40]] [[say hi]]');
    expect(end.usage).toMatchObject({ input_tokens: 60, output_tokens: 7, cache_read_input_tokens: 40 });
  });

  it('ends with a refusal when the model refuses', async () => {
    const { end } = await reply('[[refuse I will not]]');
    expect(end.refusal).toMatchObject({ type: 'refusal' });
  });

  it('fails retryably when the reply is empty, cut or the server has failed', async () => {
    const config = configFor(dialect, dev.url);
    for (const script of ['[[empty]]', '[[words 30]] [[cut 3]]', '[[fail 500]]']) {
      const failure = await failureOf(ask({ config, context: [say(script)] }));
      expect([script, failure.type, failure.retryable]).toEqual([script, 'model_request_failed_error', true]);
    }
  });

  it('says that a conversation is too long for the model, and answers a shorter one', async () => {
    const config = configFor(dialect, dev.url);
    const script = say('[[toolong 100]] [[say it fits]]');
    const long = [say('x'.repeat(200)), { type: 'message' as const, text: 'ok' }, script];
    const failure = await failureOf(ask({ config, context: long }));
    expect(failure).toMatchObject({ contextTooLong: true, retryable: false });
    expect(failure.message).toContain('prompt is too long');
    // The system prompt counts as well.
    expect(said(await collect(ask({ config, context: [script] })))).toEqual(['it fits']);
  });

  it('calls a tool of the engine', async () => {
    const schema = { type: 'object', properties: { result: { enum: ['satisfied', 'failed'] } } };
    const tools = [{ name: 'grade_outcome', description: 'Grades', schema }];
    const context = [say('[[grade failed because it is empty]]')];
    const { end } = await collect(
      ask({ config: configFor(dialect, dev.url), context, tools, builtIn: false }),
    );
    expect(end.outputs).toContainEqual(
      expect.objectContaining({ type: 'tool_call', name: 'grade_outcome', input: { result: 'failed' } }),
    );
  });

  it('rejects promptly with the reason when it is aborted', async () => {
    const abort = new AbortController();
    const call = ask({
      config: configFor(dialect, dev.url),
      context: [say('[[hang]]')],
      signal: abort.signal,
    });
    const next = call.next();
    abort.abort('stopped');
    await expect(next).rejects.toBe('stopped');
  });

  it('gives up a server that does not begin to answer', async () => {
    const config = configFor(dialect, dev.url, { MODEL_FIRST_BYTE_TIMEOUT_MS: '50' });
    const failure = await failureOf(ask({ config, context: [say('[[ttft 60000]] [[say late]]')] }));
    expect(failure.retryable).toBe(true);
    expect(failure.message).toMatch(/nothing came for 0.05 s/);
  });

  it('gives up a server that falls silent', async () => {
    const config = configFor(dialect, dev.url, { MODEL_IDLE_TIMEOUT_MS: '50' });
    const failure = await failureOf(ask({ config, context: [say('[[say one two]] [[delay 60000]]')] }));
    expect(failure.message).toMatch(/fell silent|did not begin/);
    expect(failure.retryable).toBe(true);
  });

  it('gives up a reply that is not whole in the time it has', async () => {
    const config = configFor(dialect, dev.url);
    const failure = await failureOf(
      ask({ config, context: [say('[[delay 20]] [[words 900]]')], withinMs: 60 }),
    );
    expect(failure.message).toMatch(/longer than the 0.06 s it had/);
    expect(failure).toMatchObject({ retryable: true, usage: undefined });
  });
});

describe('effort', () => {
  it('reaches a model over every protocol without harm', async () => {
    for (const dialect of DIALECTS) {
      const config = configFor(dialect, dev.url);
      const agent = agentOf({ id: modelFor(config), effort: { type: 'low' } });
      const { end } = await collect(ask({ config, agent, context: [say('[[say ok]]')] }));
      expect(end.outputs.at(-1)).toMatchObject({ text: 'ok' });
    }
  });
});
