// The core flow of the API with releases of the official SDK that are in use elsewhere: what they send and what they can
// read differs (the key's header, the API's version, `?beta=true`, the names of events they let through).
import type Current from '@anthropic-ai/sdk';
import V0_90 from '@anthropic-ai/sdk-0.90';
import V0_120 from '@anthropic-ai/sdk-0.120';
import V0_137 from '@anthropic-ai/sdk-0.137';
import V1_0 from '@anthropic-ai/sdk-1.0';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestPlatform } from '../support/test-platform.ts';
import { collect, MODEL, text, tool, until } from './ground.ts';

let platform: TestPlatform;

beforeAll(async () => {
  platform = await TestPlatform.open();
}, 240_000);

afterAll(() => platform.close());

const look = {
  type: 'custom' as const,
  name: 'look_up',
  description: 'Looks something up.',
  input_schema: { type: 'object' as const, properties: { place: { type: 'number' } } },
};

// The core flow is the same call by call, so each release is driven through the types of the current one.
const RELEASES = {
  '0.90.0': V0_90,
  '0.120.0': V0_120,
  '0.137.0': V0_137,
  '1.0.0': V1_0,
} as unknown as Record<string, typeof Current>;

describe.each(Object.entries(RELEASES))('the SDK %s', (_, Sdk) => {
  const open = () => new Sdk({ apiKey: platform.apiKey, baseURL: platform.url, maxRetries: 0 });

  it('creates, talks, answers a custom tool, approves, lists and archives', async () => {
    const client = open();
    const { agents, environments, sessions } = client.beta;
    const environment = await environments.create({ name: 'Older' });
    const policy = { type: 'always_ask' as const };
    const toolset = {
      type: 'agent_toolset_20260401' as const,
      default_config: { permission_policy: policy },
    };
    const agent = await agents.create({ name: 'Older', model: MODEL, tools: [toolset, look] });
    expect(agent.version).toBe(1);
    const session = await sessions.create({ agent: agent.id, environment_id: environment.id });
    const say = (...events: Parameters<typeof sessions.events.send>[1]['events']) =>
      sessions.events.send(session.id, { events });

    const stream = await sessions.events.stream(session.id);
    await say({ type: 'user.message', content: text(`${tool('look_up', { place: 3 })} [[say done]]`) });
    const seen: string[] = [];
    for await (const event of stream) {
      seen.push(event.type);
      if (event.type === 'agent.custom_tool_use') {
        await say({
          type: 'user.custom_tool_result',
          custom_tool_use_id: event.id,
          content: text('place 3'),
        });
      }
      if (event.type === 'session.status_idle' && event.stop_reason.type === 'end_turn') break;
    }
    expect(seen).toEqual(
      expect.arrayContaining(['agent.custom_tool_use', 'agent.message', 'session.status_idle']),
    );

    await say({ type: 'user.message', content: text(tool('bash', { command: 'echo approved' })) });
    const asked = await until(async () => {
      const events = await collect(sessions.events.list(session.id));
      return events.find((event) => event.type === 'agent.tool_use');
    });
    await say({ type: 'user.tool_confirmation', tool_use_id: asked.id, result: 'allow' });
    await until(async () => {
      const events = await collect(sessions.events.list(session.id));
      return events.some(
        (event) => event.type === 'agent.tool_result' && JSON.stringify(event).includes('approved'),
      );
    });

    expect((await collect(sessions.list())).map(({ id }) => id)).toContain(session.id);
    expect((await sessions.retrieve(session.id)).agent.name).toBe('Older');
    await until(async () => (await sessions.retrieve(session.id)).status === 'idle');
    expect((await sessions.archive(session.id)).archived_at).not.toBeNull();
    await expect(sessions.retrieve('sesn_nobody')).rejects.toMatchObject({ status: 404 });
  });
});
