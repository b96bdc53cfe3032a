// Calls of the tools of MCP servers: the same promises as for any other tool, in events of their own.
import type { Tool } from '@capstan/schema/tools';
import { describe, expect, it } from 'vitest';
import type { ModelOutput } from './harness.ts';
import { Recording } from './replay/recording.ts';
import { replay } from './replay/replay.ts';
import { outcome, say, use } from './scripted-harness.ts';
import { memorySql } from './testing/memory-sql.ts';
import { Player } from './testing/player.ts';
import { World } from './testing.ts';

const { message } = Player;

const settings = (type: 'always_allow' | 'always_ask', enabled = true) => ({
  enabled,
  permission_policy: { type },
});
const toolset: Tool = {
  type: 'mcp_toolset',
  mcp_server_name: 'docs',
  default_config: settings('always_ask'),
  configs: [
    { name: 'find', ...settings('always_allow') },
    { name: 'drop', ...settings('always_ask', false) },
  ],
};

const server = { type: 'url' as const, name: 'docs', url: 'https://docs.example.com/mcp' };

function open(): Promise<Player> {
  return Player.open(new World({ mcp_servers: [server], tools: [toolset] }));
}

function call(name: string, input: Record<string, unknown> = {}): ModelOutput {
  return { type: 'tool_call', server: 'docs', name, input };
}

async function expectReplays({ runtime }: Player): Promise<void> {
  const log = await new Response(runtime.exportLog()).text();
  const pause = () => new Promise<void>(setImmediate);
  const now = () => performance.now();
  const again = await replay(Recording.read(log), { sql: memorySql(), pause, now, patienceMs: 30_000 });
  expect(again.difference).toBeNull();
}

describe('a call of an MCP tool', () => {
  it('is on the log before it is made and its result after, and the model is shown both', async () => {
    const player = await open();
    await player.send(message('find tea'));
    (await player.model()).settle([call('find', { word: 'tea' })]);
    const made = await player.tool();
    const [asked] = await player.all('agent.mcp_tool_use');
    expect(asked).toMatchObject({
      mcp_server_name: 'docs',
      name: 'find',
      input: { word: 'tea' },
      evaluated_permission: 'allow',
      evaluation: { type: 'always_allow' },
    });
    expect(made.input).toMatchObject({
      effectId: asked?.id,
      server: 'docs',
      name: 'find',
      input: { word: 'tea' },
    });
    expect(await made.input.context()).toMatchObject([
      { type: 'user' },
      { type: 'tool_call', server: 'docs' },
    ]);
    made.settle(outcome('Found tea.'));
    const next = await player.model();
    expect(next.input.slice(1)).toMatchObject([
      { type: 'tool_call', callId: asked?.id, server: 'docs', name: 'find' },
      { type: 'tool_result', callId: asked?.id, content: [{ text: 'Found tea.' }], isError: false },
    ]);
    next.settle([say('here')]);
    await player.rests();
    expect(await player.all('agent.mcp_tool_result')).toMatchObject([
      { mcp_tool_use_id: asked?.id, content: [{ text: 'Found tea.' }], is_error: false },
    ]);
    expect(await player.count('agent.tool_use')).toBe(0);
    expect(await player.count('agent.tool_result')).toBe(0);
    await expectReplays(player);
  });

  it('waits for a person where its toolset says nothing else', async () => {
    const player = await open();
    await player.send(message('list, twice'));
    (await player.model()).settle([call('list', { of: 1 }), call('list', { of: 2 })]);
    await player.rests();
    const [one, two] = await player.all('agent.mcp_tool_use');
    expect(one).toMatchObject({ evaluated_permission: 'ask', evaluation: { type: 'always_ask' } });
    const [idle] = await player.all('session.status_idle');
    expect(idle?.stop_reason).toEqual({ type: 'requires_action', event_ids: [one?.id, two?.id] });
    expect(player.world.harness.performed).toEqual([]);

    const confirm = { type: 'user.tool_confirmation' as const };
    const { input_sha256 = '' } = one?.capstan ?? {};
    await player.send(
      { ...confirm, tool_use_id: one?.id ?? '', result: 'allow', input_sha256 },
      { ...confirm, tool_use_id: two?.id ?? '', result: 'deny', deny_message: 'once is enough' },
    );
    (await player.tool()).settle(outcome('the list'));
    (await player.model()).settle([say('done')]);
    await player.rests();
    expect(player.world.harness.performed).toEqual([one?.id]);
    const results = await player.all('agent.mcp_tool_result');
    expect(results.map(({ mcp_tool_use_id: id, is_error }) => [id, is_error])).toEqual([
      [two?.id, true],
      [one?.id, false],
    ]);
    expect(JSON.stringify(results[0]?.content)).toContain('once is enough');
    await expectReplays(player);
  });

  it.each([
    ['that is switched off', call('drop')],
    ['of a server it does not have', { ...call('find'), server: 'wiki' }],
    ['whose arguments do not parse', { ...call('find'), input: null, problem: 'no JSON' }],
  ] as const)('%s is refused in its own kind of result', async (_, refused) => {
    const player = await open();
    await player.send(message('go'));
    (await player.model()).settle([refused]);
    (await player.model()).settle([say('well')]);
    await player.rests();
    const [asked] = await player.all('agent.mcp_tool_use');
    expect(asked).toMatchObject({ evaluated_permission: 'deny' });
    expect(await player.all('agent.mcp_tool_result')).toMatchObject([
      { mcp_tool_use_id: asked?.id, is_error: true },
    ]);
    expect(player.world.harness.performed).toEqual([]);
    await expectReplays(player);
  });

  it('is not the built-in tool of the same name', async () => {
    const player = await open();
    await player.send(message('go'));
    (await player.model()).settle([use('find'), call('bash')]);
    await player.rests();
    expect(await player.all('agent.tool_use')).toMatchObject([
      { name: 'find', evaluated_permission: 'deny' },
    ]);
    expect(await player.all('agent.mcp_tool_use')).toMatchObject([
      { name: 'bash', evaluated_permission: 'ask' },
    ]);
  });

  it('is never silently made again after a crash', async () => {
    const player = await open();
    await player.send(message('find tea'));
    (await player.model()).settle([call('find')]);
    await player.tool();
    await player.restart();
    await player.retries();
    (await player.model()).settle([say('who knows')]);
    await player.rests();
    const [asked] = await player.all('agent.mcp_tool_use');
    expect(player.world.harness.performed).toEqual([asked?.id]);
    expect(player.world.harness.recovered).toEqual([asked?.id]);
    const [result] = await player.all('agent.mcp_tool_result');
    expect(result).toMatchObject({ mcp_tool_use_id: asked?.id, is_error: true });
    expect(JSON.stringify(result?.content)).toContain('Outcome unknown');
  });

  it('that an interrupt cuts short has its result, and nothing of it is stopped in the sandbox', async () => {
    const player = await open();
    await player.send(message('find tea'));
    (await player.model()).settle([call('find')]);
    const made = await player.tool();
    await player.send({ type: 'user.interrupt' });
    await player.rests();
    expect(made.signal.aborted).toBe(true);
    expect(await player.all('agent.mcp_tool_result')).toMatchObject([{ is_error: true }]);
    expect(player.world.harness.cancelled).toEqual([]);
    expect((await player.world.state()).worked).toBeNull();
    await expectReplays(player);
  });
});

describe('a server that cannot be used', () => {
  it('is an error of the session that ends nothing, told once', async () => {
    const player = await open();
    await player.send(message('hello'));
    const model = await player.model();
    const { harness } = player.world;
    const trouble = {
      id: 'sevt_trouble',
      kind: 'mcp_failed' as const,
      type: 'mcp_authentication_failed_error' as const,
      server: 'docs',
      message: 'no entry',
    };
    harness.untold = [trouble];
    harness.notify();
    model.settle([say('without it then')]);
    await player.rests();
    expect(await player.all('session.error')).toMatchObject([
      {
        id: 'sevt_trouble',
        error: {
          type: 'mcp_authentication_failed_error',
          mcp_server_name: 'docs',
          message: 'no entry',
          retry_status: { type: 'retrying' },
        },
      },
    ]);
    expect(await player.stops()).toEqual(['end_turn']);
    expect(harness.untold).toEqual([]);
    await expectReplays(player);
  });
});
