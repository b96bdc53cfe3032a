// Prompt caches live of prefixes: what one call sends must be the beginning of what the next one sends, byte by byte.
import type { ContextItem, EngineTool } from '@capstan/session/harness';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  agentOf,
  ask,
  collect,
  configFor,
  DIALECTS,
  type DialectName,
  messagesOf,
  say,
  startServer,
  type TestServer,
} from '../testing.ts';
import { at, isDict, list } from './values.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer((response) => response.writeHead(400).end('{}'));
});
afterAll(() => server.stop());

const TOOLS: EngineTool[] = [{ name: 'delegate', description: 'd', schema: { type: 'object' } }];

interface Told {
  system?: string | null;
  tools?: EngineTool[];
}

async function sent(dialect: DialectName, context: readonly ContextItem[], told: Told = {}) {
  const { system = 'Be brief.', tools = TOOLS } = told;
  const agent = agentOf({ id: dialect === 'messages' ? 'claude-test-1' : 'gpt-5-test' }, { system });
  const call = ask({ config: configFor(dialect, server.url), context, agent, tools });
  await collect(call).catch(() => undefined);
  const body = server.bodies.at(-1);
  if (body === undefined) throw new TypeError('Nothing was sent.');
  return body;
}

/** Without marks: they say where a cache may be cut, and are no part of what is cached. */
function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  if (!isDict(value)) return value;
  const kept = Object.entries(value).filter(([key]) => key !== 'cache_control');
  return Object.fromEntries(kept.map(([key, inner]) => [key, unmarked(inner)]));
}

/** What comes before the conversation, then the conversation piece by piece, as bytes. */
function pieces(dialect: DialectName, body: Record<string, unknown>): string[] {
  const said = messagesOf(dialect, body).flatMap((message) => {
    const content = at(message, 'content');
    if (dialect !== 'messages' || !Array.isArray(content)) return [message];
    return content.map((block) => [at(message, 'role'), block]);
  });
  const head = { tools: body.tools, system: body.system, instructions: body.instructions };
  return [head, ...said].map((piece) => JSON.stringify(unmarked(piece)));
}

const words = fc.string({ minLength: 1, maxLength: 12 }).map((text) => `w${text}`);

/** One exchange as the log has it: what is said to the agent, and the rounds of calls it makes of it. */
const exchange = fc.record({
  asked: words,
  rule: fc.option(words),
  rounds: fc.array(fc.array(words, { minLength: 1, maxLength: 3 }), { maxLength: 2 }),
  reply: words,
});

type Exchange = typeof exchange extends fc.Arbitrary<infer T> ? T : never;

/** The contexts of the calls an exchange makes, each behind what was said before. */
function contextsOf(exchanges: readonly Exchange[]): ContextItem[][] {
  const contexts: ContextItem[][] = [];
  const context: ContextItem[] = [];
  let calls = 0;
  for (const { asked, rule, rounds, reply } of exchanges) {
    context.push(say(asked));
    if (rule !== null) context.push({ type: 'system', text: rule });
    for (const round of rounds) {
      contexts.push([...context]);
      const ids = round.map(() => `sevt_${calls++}`);
      round.forEach((text, at) => {
        context.push({ type: 'tool_call', callId: ids[at] ?? '', name: 'bash', input: { command: text } });
      });
      round.forEach((text, at) => {
        const content = [{ type: 'text' as const, text }];
        context.push({ type: 'tool_result', callId: ids[at] ?? '', content, isError: at === 1 });
      });
    }
    contexts.push([...context]);
    context.push({ type: 'message', text: reply });
  }
  return contexts;
}

describe.each(DIALECTS)('the requests of a conversation over %s', (dialect) => {
  it('each begin with all of the one before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(exchange, { minLength: 1, maxLength: 3 }), async (exchanges) => {
        let before: string[] = [];
        for (const context of contextsOf(exchanges)) {
          const now = pieces(dialect, await sent(dialect, context));
          expect(now.slice(0, before.length)).toEqual(before);
          before = now;
        }
      }),
      { numRuns: 15 },
    );
  });
});

describe('cache marks', () => {
  const call = (id: string): ContextItem => ({ type: 'tool_call', callId: id, name: 'bash', input: {} });
  const result = (id: string): ContextItem => ({
    type: 'tool_result',
    callId: id,
    content: [{ type: 'text', text: id }],
    isError: false,
  });

  /** Where marks stand: `system`, `tool`, or the text of the block that has one. */
  function marks(body: Record<string, unknown>): unknown[] {
    const found = (value: unknown) => isDict(value) && isDict(value.cache_control);
    const blocks = messagesOf('messages', body).flatMap((message) => list(at(message, 'content')));
    return [
      ...list(body.tools)
        .filter(found)
        .map(() => 'tool'),
      ...list(body.system)
        .filter(found)
        .map(() => 'system'),
      ...blocks.filter(found).map((block) => at(block, 'text') ?? at(block, 'tool_use_id')),
    ];
  }

  it('stand at the end of the fixed part, where the call before ended, and at the end', async () => {
    const first = [say('go')];
    expect(marks(await sent('messages', first))).toEqual(['system', 'go']);
    const second = [...first, call('a'), call('b'), result('a'), result('b')];
    expect(marks(await sent('messages', second))).toEqual(['system', 'go', 'b']);
    const third = [...second, call('c'), result('c')];
    expect(marks(await sent('messages', third))).toEqual(['system', 'b', 'c']);
    const fourth: ContextItem[] = [...third, { type: 'message', text: 'done' }, say('more')];
    expect(marks(await sent('messages', fourth))).toEqual(['system', 'c', 'more']);
  });

  it('stand behind the tools when there is no system prompt', async () => {
    expect(marks(await sent('messages', [say('go')], { system: null }))).toEqual(['tool', 'go']);
  });

  it('are not sent over protocols that do not know them', async () => {
    for (const dialect of ['chat', 'responses'] as const) {
      expect(JSON.stringify(await sent(dialect, [say('go')]))).not.toContain('cache_control');
    }
  });
});
