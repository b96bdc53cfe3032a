import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

let world: World;
let client: Anthropic;

beforeAll(async () => {
  world = await openWorld();
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
});
afterAll(() => world.close());

const server = (name: string, url = `https://${name}.example.com/mcp`) => ({
  type: 'url' as const,
  name,
  url,
});
const toolset = (name: string) => ({ type: 'mcp_toolset' as const, mcp_server_name: name });
const filled = (name: string) => ({
  ...toolset(name),
  default_config: { enabled: true, permission_policy: { type: 'always_ask' } },
  configs: [],
});

const create = (servers: string[], toolsets = servers) =>
  client.beta.agents.create({
    name: 'Librarian',
    model: 'some-model',
    mcp_servers: servers.map((name) => server(name)),
    tools: toolsets.map(toolset),
  });

const refusal = (message: RegExp) => ({ status: 400, message: expect.stringMatching(message) });

describe('MCP servers through the official SDK', () => {
  it('are kept with their toolsets filled, in every version and in the sessions of each', async () => {
    const agent = await create(['docs']);
    expect(agent).toMatchObject({ mcp_servers: [server('docs')], tools: [filled('docs')], version: 1 });

    const environment = await client.beta.environments.create({ name: 'Open' });
    const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
    expect(session.agent).toMatchObject({ mcp_servers: [server('docs')], tools: [filled('docs')] });

    const moved = await client.beta.agents.update(agent.id, {
      version: 1,
      mcp_servers: [server('docs', 'https://docs.example.com/v2')],
    });
    expect(moved).toMatchObject({ version: 2, tools: [filled('docs')] });
    const same = { mcp_servers: moved.mcp_servers, tools: moved.tools };
    expect((await client.beta.agents.update(agent.id, { version: 2, ...same })).version).toBe(2);
    const cleared = await client.beta.agents.update(agent.id, { version: 2, mcp_servers: null, tools: [] });
    expect(cleared).toMatchObject({ version: 3, mcp_servers: [], tools: [] });

    const versions = await client.beta.agents.versions.list(agent.id);
    expect(versions.data.map(({ mcp_servers: [first] }) => first?.url)).toEqual([
      undefined,
      'https://docs.example.com/v2',
      'https://docs.example.com/mcp',
    ]);
    expect((await client.beta.sessions.retrieve(session.id)).agent.mcp_servers).toEqual([server('docs')]);
  });

  it('are refused without a toolset, as toolsets are without a server', async () => {
    await expect(create(['docs'], [])).rejects.toMatchObject(
      refusal(/mcp_servers\.0\.name: no toolset uses docs/),
    );
    await expect(create([], ['docs'])).rejects.toMatchObject(
      refusal(/tools\.0\.mcp_server_name: mcp_servers has no server named docs/),
    );
    await expect(create(['docs', 'docs'])).rejects.toMatchObject(refusal(/mcp_servers\.1\.name: .*already/));
    const agent = await create(['docs']);
    await expect(client.beta.agents.update(agent.id, { version: 1, mcp_servers: [] })).rejects.toMatchObject(
      refusal(/tools\.0\.mcp_server_name: /),
    );
    await expect(client.beta.agents.update(agent.id, { version: 1, tools: [] })).rejects.toMatchObject(
      refusal(/mcp_servers\.0\.name: /),
    );
    expect((await client.beta.agents.retrieve(agent.id)).version).toBe(1);
  });

  it.each([
    'http://mcp.example.com/',
    'https://127.0.0.1/mcp',
    'https://localhost:8000/mcp',
    'https://[::1]/mcp',
    'https://169.254.169.254/latest',
    'https://2130706433/',
    'https://user:word@mcp.example.com/',
    'https://mcp.example.com:22/',
  ])('at %s are refused when they are saved', async (url) => {
    const settings = { name: 'x', model: 'm', mcp_servers: [server('docs', url)], tools: [toolset('docs')] };
    const wrong = refusal(/mcp_servers\.0\.url: /);
    await expect(client.beta.agents.create(settings)).rejects.toMatchObject(wrong);
    const agent = await create(['docs']);
    const change = { version: 1, mcp_servers: settings.mcp_servers };
    await expect(client.beta.agents.update(agent.id, change)).rejects.toMatchObject(wrong);
  });
});
