// A session's agent can be given other tools while it rests: the log has them, so every process and every fork does too.
import { describe, expect, it } from 'vitest';
import { say, use } from './scripted-harness.ts';
import { Player } from './testing/player.ts';
import { World } from './testing.ts';

const { message } = Player;
const allowed = { enabled: true, permission_policy: { type: 'always_allow' as const } };
const denied = { enabled: false, permission_policy: { type: 'always_allow' as const } };
const only = (name: 'bash' | 'read') => ({
  type: 'agent_toolset_20260401' as const,
  default_config: denied,
  configs: [{ type: name, name, ...allowed }],
});

async function opened(agent: object = {}): Promise<Player> {
  const world = new World();
  world.spec = { ...world.spec, agent: { ...world.spec.agent, ...agent } };
  return Player.open(world);
}

describe('the tools of a session', () => {
  it('are told with the whole agent, once, and are those of the next turn', async () => {
    const player = await opened();
    const { spec } = player.world;
    const view = await player.runtime.update({ agent: { tools: [only('read')] } });
    expect(view.agentTools).toEqual({ tools: [only('read')], mcp_servers: [] });
    await player.runtime.update({ agent: { tools: [only('read')], mcp_servers: [] } });
    const updated = await player.all('session.updated');
    expect(updated).toHaveLength(1);
    expect(updated[0]?.agent).toEqual({ ...spec.agent, tools: [only('read')] });
    expect(updated[0]).not.toHaveProperty('title');
    await player.send(message('go'));
    const model = await player.model();
    expect(model.call.agent.tools).toEqual([only('read')]);
    expect(player.runtime.threads[0]?.agent).toMatchObject({ tools: [only('read')] });
    model.settle([use('bash'), say('done')]);
    const next = await player.model();
    expect(next.input.at(-1), 'a tool it no longer has is refused').toMatchObject({ isError: true });
    next.settle([say('done')]);
    await player.rests();
  });

  it('are there for the next process', async () => {
    const player = await opened();
    await player.runtime.update({ agent: { tools: [] } });
    await player.restart();
    expect(player.runtime.view.agentTools).toEqual({ tools: [], mcp_servers: [] });
    await player.send(message('go'));
    expect((await player.model()).call.agent.tools).toEqual([]);
  });

  it('stay as they are while it works, and can be changed while it waits for somebody', async () => {
    const player = await opened();
    await player.send(message('go'));
    const model = await player.model();
    const change = player.runtime.update({ agent: { tools: [] } });
    await expect(change).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^agent: the session is running/),
    });
    model.settle([use('write', { path: 'a', content: 'b' })]);
    await player.rests();
    expect((await player.runtime.update({ agent: { tools: [] } })).agentTools?.tools).toEqual([]);
  });

  it('fit the servers and skills it has', async () => {
    const skill = { type: 'custom' as const, skill_id: 'skill_1', version: '1' };
    const player = await opened({ skills: [skill], tools: [only('read')] });
    const refused = { code: 'invalid_request', message: expect.stringMatching(/^agent\.skills: /) };
    await expect(player.runtime.update({ agent: { tools: [] } })).rejects.toMatchObject(refused);
    expect(await player.world.events()).toEqual([]);
  });

  it('may be large: the event is whole for whoever reads it', async () => {
    const system = 'x'.repeat(500_000);
    const player = await opened({ system });
    await player.runtime.update({ agent: { tools: [only('read')] } });
    await player.restart();
    expect(player.runtime.view.agentTools?.tools).toEqual([only('read')]);
    const { data } = await player.runtime.events({ limit: 10, order: 'asc' });
    expect(data).toMatchObject([{ type: 'session.updated', agent: { system, tools: [only('read')] } }]);
  });
});

describe('what an agent says of itself', () => {
  it('limits its replies, and the model calls of its turns', async () => {
    const capstan = { model: { max_output_tokens: 300 }, harness: { max_model_calls: 2 } };
    const player = await opened({ capstan });
    await player.send(message('go'));
    const model = await player.model();
    expect(model.call.maxOutputTokens).toBe(300);
    model.settle([use('bash')]);
    (await player.tool()).settle({ content: [], isError: false });
    (await player.model()).settle([use('bash')]);
    (await player.tool()).settle({ content: [], isError: false });
    await player.rests();
    const [error] = await player.all('session.error');
    expect(error).toMatchObject({
      error: { type: 'tool_use_limit_reached_error', message: 'The turn was stopped after 2 model calls.' },
    });
  });

  it('says nothing where it sets nothing', async () => {
    const player = await opened();
    await player.send(message('go'));
    expect((await player.model()).call.maxOutputTokens).toBeNull();
  });
});
