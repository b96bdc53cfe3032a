import { createServer } from 'node:http';
import type { ThreadAgent } from '@capstan/schema/agents';
import type { Tool } from '@capstan/schema/tools';
import type { ToolCall } from '@capstan/session/harness';
import { silentLogger } from '@capstan/shared/logger';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type McpServerRunning, type ServedTool, startMcpServer, text } from '../testing/mcp-server.ts';
import { agentOf } from '../testing.ts';
import { NEVER, textOf } from '../tools/testing.ts';
import { type McpDeps, McpTools, type McpTrouble } from './mcp-tools.ts';

let server: McpServerRunning;
let reported: McpTrouble[] = [];
let written: { path: string; bytes: number }[] = [];
let calls = 0;
let now = 0;

const find: ServedTool = {
  name: 'find',
  description: 'Finds a page.',
  inputSchema: { type: 'object', properties: { word: { type: 'string' } }, required: ['word'] },
  answer: ({ word }) => text(`Found ${word}.`),
};
const named = (name: string, more: Partial<ServedTool> = {}): ServedTool => ({
  name,
  answer: () => text(name),
  ...more,
});

beforeEach(async () => {
  server = await startMcpServer([find, named('drop'), named('a tool'), named('list')]);
  reported = [];
  written = [];
  now = 1_000;
});
afterEach(() => server.stop());

function open(more: Partial<McpDeps> = {}): McpTools {
  const sandboxes = {
    writeFile: async ({ path, content }: { path: string; content: Uint8Array }) => {
      written.push({ path, bytes: content.length });
    },
  };
  return new McpTools({
    reach: { allowPrivate: [new URL(server.url).host] },
    authorization: { for: async () => null, renew: async () => null },
    logger: silentLogger,
    clock: { now: () => now },
    permits: () => true,
    report: (trouble) => reported.push(trouble),
    sandbox: { use: (work) => work('sandbox') },
    // Only writing is asked of it.
    sandboxes: () => sandboxes as never,
    ...more,
  });
}

const policy = (type: 'always_allow' | 'always_ask') => ({ enabled: true, permission_policy: { type } });
const toolset = (name = 'docs', configs: { name: string; enabled: boolean }[] = []): Tool => ({
  type: 'mcp_toolset',
  mcp_server_name: name,
  default_config: policy('always_ask'),
  configs: configs.map((config) => ({ ...policy('always_ask'), ...config })),
});

function agent(tools: Tool[] = [toolset()], url = server.url): ThreadAgent {
  const servers = tools.flatMap((tool) =>
    tool.type === 'mcp_toolset' ? [{ type: 'url' as const, name: tool.mcp_server_name, url }] : [],
  );
  return agentOf({ id: 'm' }, { tools, mcp_servers: servers });
}

function call(
  name: string,
  input: Record<string, unknown> = {},
  by = agent(),
): ToolCall & { server: string } {
  calls += 1;
  return {
    effectId: `sevt_${calls}`,
    name,
    server: 'docs',
    input,
    agent: by,
    context: async () => [],
    shell: 'main',
  };
}

const namesOf = async (tools: McpTools, turn = 'turn', by = agent()) =>
  (await tools.offer(by, turn)).map(({ name }) => name);

const ALL = ['mcp__docs__a_tool__', 'mcp__docs__drop', 'mcp__docs__find', 'mcp__docs__list'];

describe('what is offered', () => {
  it.each(['json', 'sse'] as const)('is every page of the list that is answered as %s', async (answers) => {
    server.answers = answers;
    const tools = open();
    const offered = await tools.offer(agent(), 'turn');
    expect(offered.map(({ name }, index) => name.startsWith(ALL[index] ?? 'none'))).toEqual(
      ALL.map(() => true),
    );
    expect(offered.find(({ name }) => name === 'mcp__docs__find')).toEqual({
      name: 'mcp__docs__find',
      description: 'Finds a page.',
      schema: find.inputSchema,
    });
    expect(tools.meant(offered[0]?.name ?? '')).toEqual({ server: 'docs', name: 'a tool' });
    expect(tools.meant('mcp__docs__other')).toBeNull();
  });

  it('leaves out what the toolset does not enable, and servers without a toolset', async () => {
    const configs = [{ name: 'drop', enabled: false }];
    expect(await namesOf(open(), 'turn', agent([toolset('docs', configs)]))).not.toContain('mcp__docs__drop');
    const without = { ...agent(), tools: [] };
    expect(await namesOf(open(), 'turn', without)).toEqual([]);
  });

  it('says once which tools have no place any more', async () => {
    server.tools = Array.from({ length: 140 }, (_, index) => named(`t${String(index).padStart(3, '0')}`));
    server.pageSize = 70;
    const tools = open();
    expect(await namesOf(tools, 'one')).toHaveLength(128);
    expect(reported).toMatchObject([{ server: 'docs', type: 'mcp_connection_failed_error' }]);
    expect(reported[0]?.message).toMatch(/128 places\. Not offered: mcp__docs__t128, .*, and 2 more\./);
    await namesOf(tools, 'two');
    expect(reported).toHaveLength(1);
  });

  it('loosens schemas that providers refuse', async () => {
    server.tools = [
      named('either', { inputSchema: { type: 'object', anyOf: [{}], $schema: 'x', title: 't' } }),
    ];
    expect(await open().offer(agent(), 'turn')).toMatchObject([{ schema: { type: 'object', title: 't' } }]);
    expect(JSON.stringify(await open().offer(agent(), 'turn'))).not.toMatch(/anyOf|\$schema/);
  });

  it('leaves out tools whose schemas nest deeper than programs can follow', async () => {
    const depth = 300;
    const deep = JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
    server.tools = [find, named('deep', { inputSchema: { type: 'object', properties: { deep } } })];
    expect(await namesOf(open())).toEqual(['mcp__docs__find']);
    expect(reported).toEqual([]);
  });

  it('is not read beyond what it may reasonably have', async () => {
    const description = 'x'.repeat(1024 * 1024);
    server.tools = [named('long', { description })];
    expect(await namesOf(open())).toEqual([]);
    expect(reported.map(({ message }) => message)).toEqual([expect.stringContaining('longer than 1048576')]);
  });

  it('is asked for once, until the list is old or the server says that it has changed', async () => {
    const tools = open();
    const lists = () => server.asked.filter((method) => method === 'tools/list').length;
    await namesOf(tools);
    await namesOf(tools, 'another turn');
    expect(lists()).toBe(2);
    server.tools = [named('new')];
    now += 300_000;
    expect(await namesOf(tools)).toEqual(['mcp__docs__new']);
    server.tools = [named('new'), named('newer')];
    server.announces = true;
    await tools.perform(call('new'), NEVER);
    expect(await namesOf(tools)).toEqual(['mcp__docs__new', 'mcp__docs__newer']);
    expect(lists()).toBe(4);
  });
});

describe('a server that cannot be listed', () => {
  it('costs its own tools only, and is told of once a turn and tried again in the next', async () => {
    const tools = open();
    server.status = 503;
    expect(await namesOf(tools)).toEqual([]);
    expect(await namesOf(tools)).toEqual([]);
    expect(reported).toMatchObject([{ type: 'mcp_connection_failed_error', server: 'docs' }]);
    expect(reported[0]?.message).toMatch(/^The MCP server docs cannot be used: .*503/);
    expect(await namesOf(tools, 'next')).toEqual([]);
    expect(reported).toHaveLength(2);
    server.status = null;
    expect(await namesOf(tools, 'third')).toHaveLength(4);
    expect(reported).toHaveLength(2);
  });

  it('has an error of its own when it lets nobody in', async () => {
    server.token = 'Bearer right';
    expect(await namesOf(open())).toEqual([]);
    expect(reported).toMatchObject([{ type: 'mcp_authentication_failed_error', server: 'docs' }]);
  });

  it('is not asked where the environment has no way to it', async () => {
    const tools = open({ permits: () => false });
    expect(await namesOf(tools)).toEqual([]);
    expect(reported[0]?.message).toMatch(/allow_mcp_servers/);
    expect(textOf(await tools.perform(call('find'), NEVER))).toMatch(/The call was not made/);
    expect(server.tokens).toEqual([]);
  });

  it('is not asked at a private address', async () => {
    expect(await namesOf(open({ reach: {} }))).toEqual([]);
    expect(reported[0]?.message).toMatch(/not encrypted/);
    expect(server.tokens).toEqual([]);
  });

  it('is given up when nobody is there, or nobody answers', async () => {
    const gone = await startMcpServer([]);
    await gone.stop();
    const reach = { allowPrivate: [new URL(gone.url).host] };
    expect(await namesOf(open({ reach }), 'turn', agent([toolset()], gone.url))).toEqual([]);
    expect(reported).toMatchObject([{ type: 'mcp_connection_failed_error' }]);
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${Object(mute.address()).port}`;
    const waiting = open({ reach: { allowPrivate: [host] }, limits: { connectMs: 50 } });
    expect(await namesOf(waiting, 'turn', agent([toolset()], `http://${host}/mcp`))).toEqual([]);
    expect(reported).toMatchObject(Array(2).fill({ type: 'mcp_connection_failed_error' }));
    mute.close().closeAllConnections();
  });
});

describe('authorization', () => {
  const authorization = (first: string | null, renewed: string | null) => ({
    for: async () => first,
    renew: async () => renewed,
  });

  it('is what the vaults have for the server', async () => {
    server.token = 'Bearer right';
    expect(await namesOf(open({ authorization: authorization('Bearer right', null) }))).toHaveLength(4);
    expect(new Set(server.tokens)).toEqual(new Set(['Bearer right']));
  });

  it('is renewed once after a 401', async () => {
    server.token = 'Bearer new';
    const tools = open({ authorization: authorization('Bearer old', 'Bearer new') });
    expect(await namesOf(tools)).toHaveLength(4);
    server.asked = [];
    expect(textOf(await tools.perform(call('find', { word: 'x' }), NEVER))).toBe('Found x.');
    expect(server.asked).toEqual(['call find']);
    server.token = 'Bearer other';
    server.tokens = [];
    const outcome = await tools.perform(call('find', { word: 'x' }), NEVER);
    expect(textOf(outcome)).toMatch(/refuses access \(401\).*The call was not made/s);
    expect(server.tokens).toEqual(['Bearer old', 'Bearer new']);
    expect(reported).toMatchObject([{ type: 'mcp_authentication_failed_error' }]);
  });
});

describe('a call', () => {
  it.each(['json', 'sse'] as const)('is answered as %s with what the tool says', async (answers) => {
    server.answers = answers;
    const outcome = await open().perform(call('find', { word: 'tea' }), NEVER);
    expect(outcome).toEqual({ content: [{ type: 'text', text: 'Found tea.' }], isError: false });
  });

  it('shows pictures and PDFs, names what cannot be shown, and reads resources', async () => {
    const data = Buffer.from('bytes').toString('base64');
    const content = [
      { type: 'text', text: 'a\u0000b' },
      { type: 'image', mimeType: 'image/png', data },
      { type: 'image', mimeType: 'image/tiff', data },
      { type: 'audio', mimeType: 'audio/wav', data },
      { type: 'resource', resource: { uri: 'doc://1', text: 'words' } },
      { type: 'resource', resource: { uri: 'doc://2', mimeType: 'application/pdf', blob: data } },
      { type: 'resource_link', uri: 'doc://3', name: 'third', description: 'the third' },
    ];
    server.tools = [named('mixed', { answer: () => ({ content }) })];
    const outcome = await open().perform(call('mixed'), NEVER);
    expect(outcome.content.map((block) => block.type)).toEqual([
      'text',
      'image',
      'text',
      'text',
      'text',
      'text',
      'document',
      'text',
    ]);
    expect(textOf(outcome)).toContain('ab');
    expect(textOf(outcome)).toContain('[Resource doc://1]\nwords');
    expect(textOf(outcome)).toContain('[Resource third: doc://3 (the third)]');
  });

  it('shows structured content where there is nothing else', async () => {
    server.tools = [named('shape', { answer: () => ({ content: [], structuredContent: { a: 1 } }) })];
    expect(textOf(await open().perform(call('shape'), NEVER))).toBe('{\n  "a": 1\n}');
  });

  it("keeps a tool's own failure apart from the server's", async () => {
    server.tools = [
      named('fails', { answer: () => ({ ...text('no such page'), isError: true }) }),
      named('throws', { answer: () => Promise.reject(new Error('broken')) }),
    ];
    const tools = open();
    expect(await tools.perform(call('fails'), NEVER)).toMatchObject({ isError: true });
    expect(textOf(await tools.perform(call('throws'), NEVER))).toMatch(
      /has not performed the call as asked: .*broken/,
    );
    expect(textOf(await tools.perform(call('unknown'), NEVER))).toMatch(/Unknown tool/);
    expect(reported).toEqual([]);
  });

  it('puts what is too long into a file and says where', async () => {
    server.tools = [named('long', { answer: () => text('x'.repeat(100_001)) })];
    const asked = call('long');
    const words = textOf(await open().perform(asked, NEVER));
    expect(words.length).toBeLessThan(21_000);
    expect(words).toContain(`/mnt/session/tool_results/${asked.effectId}.txt`);
    expect(written).toEqual([{ path: `/mnt/session/tool_results/${asked.effectId}.txt`, bytes: 100_001 }]);
  });

  it('is made again with a new connection when the server has forgotten the old one', async () => {
    const tools = open();
    await namesOf(tools);
    server.sessions.clear();
    server.asked = [];
    expect(textOf(await tools.perform(call('find', { word: 'x' }), NEVER))).toBe('Found x.');
    expect(server.asked.filter((method) => method === 'call find')).toHaveLength(1);
  });

  it('whose answer breaks off is not made again, and says that it may have been made', async () => {
    const tools = open();
    server.breaks = true;
    const outcome = await tools.perform(call('drop'), NEVER);
    expect(textOf(outcome)).toMatch(/broke off.*may or may not have taken effect/s);
    expect(server.asked.filter((method) => method === 'call drop')).toHaveLength(1);
    expect(reported).toMatchObject([{ type: 'mcp_connection_failed_error' }]);
    expect(textOf(await tools.perform(call('drop'), NEVER))).toBe('drop');
  });

  it('ends at its limit, and with its turn', async () => {
    const never = new Promise<Record<string, unknown>>(() => {});
    server.tools = [named('slow', { answer: () => never })];
    const tools = open({ limits: { callMs: 100 } });
    expect(textOf(await tools.perform(call('slow'), NEVER))).toMatch(/no answer came in time/);
    const turn = new AbortController();
    const stopped = open().perform(call('slow'), turn.signal);
    turn.abort('stopped');
    await expect(stopped).rejects.toBe('stopped');
  });

  it('of a server that the agent does not have is refused', async () => {
    const outcome = await open().perform(call('find', {}, { ...agent(), mcp_servers: [] }), NEVER);
    expect(textOf(outcome)).toBe('This agent has no MCP server named docs.');
  });
});

describe('after a crash', () => {
  it.each([
    [undefined, null],
    [{ destructiveHint: true }, null],
    [{ readOnlyHint: false, idempotentHint: false }, null],
    [{ readOnlyHint: true }, 'once'],
    [{ idempotentHint: true }, 'once'],
  ])('a call of a tool annotated %j comes to %j', async (annotations, told) => {
    server.tools = [named('once', { ...(annotations ? { annotations } : {}) })];
    const outcome = await open().recover(call('once'), NEVER);
    expect(outcome === null ? null : textOf(outcome)).toBe(told);
    expect(server.asked.filter((method) => method === 'call once')).toHaveLength(told === null ? 0 : 1);
  });

  it('nothing is known of a call while its server cannot be asked', async () => {
    server.status = 500;
    expect(await open().recover(call('find'), NEVER)).toBeNull();
  });
});
