// Sessions as they are deployed, in workerd, with an MCP server on loopback: what the official SDK sees of its tools.
import Anthropic from '@anthropic-ai/sdk';
import { type DevModel, startDevModel } from '@capstan/dev-model/dev-model';
import { type McpServerRunning, startMcpServer, text } from '@capstan/harness/testing/mcp-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWorld, type World } from './testing/world.ts';

type Event = Anthropic.Beta.Sessions.BetaManagedAgentsSessionEvent;

let world: World;
let client: Anthropic;
let model: DevModel;
let server: McpServerRunning;
let environment: string;

beforeAll(async () => {
  model = await startDevModel({ port: 0, host: '127.0.0.1' });
  server = await startMcpServer([
    { name: 'find', annotations: { readOnlyHint: true }, answer: ({ word }) => text(`Found ${word}.`) },
    { name: 'drop', answer: () => text('dropped') },
  ]);
  server.token = 'Bearer canary-of-the-vault';
  const privateHosts = new URL(server.url).host;
  world = await openWorld({ modelUrl: `${model.url}/v1`, privateHosts });
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
  environment = (await client.beta.environments.create({ name: 'Open' })).id;
});

afterAll(async () => {
  await world.close();
  await Promise.all([server.stop(), model.stop()]);
});

async function openSession(withVault = true): Promise<string> {
  const agent = await client.beta.agents.create({
    name: 'Librarian',
    model: 'any',
    mcp_servers: [{ type: 'url', name: 'docs', url: server.url }],
    tools: [
      {
        type: 'mcp_toolset',
        mcp_server_name: 'docs',
        configs: [{ name: 'find', permission_policy: { type: 'always_allow' } }],
      },
    ],
  });
  const vault = await client.beta.vaults.create({ display_name: 'Keys' });
  await client.beta.vaults.credentials.create(vault.id, {
    auth: { type: 'static_bearer', mcp_server_url: server.url, token: 'canary-of-the-vault' },
  });
  const session = await client.beta.sessions.create({
    agent: agent.id,
    environment_id: environment,
    vault_ids: withVault ? [vault.id] : [],
  });
  return session.id;
}

/** Says it, and gives what the session comes to, once it rests. */
async function say(session: string, words: string): Promise<Event[]> {
  const content = [{ type: 'text' as const, text: words }];
  return send(session, { type: 'user.message', content });
}

async function send(
  session: string,
  event: Anthropic.Beta.Sessions.EventSendParams['events'][number],
): Promise<Event[]> {
  const stream = await client.beta.sessions.events.stream(session);
  await client.beta.sessions.events.send(session, { events: [event] });
  const seen: Event[] = [];
  for await (const next of stream) {
    seen.push(next as Event);
    if (next.type === 'session.status_idle') break;
  }
  return seen;
}

const only = <T extends Event['type']>(events: Event[], type: T) =>
  events.filter((event): event is Extract<Event, { type: T }> => event.type === type);

describe('a session with an MCP server', () => {
  it("calls its tools with the vault's credential, which nobody is shown", async () => {
    const session = await openSession();
    const events = await say(session, '[[tool mcp__docs__find {"word":"tea"}]]');
    const [use] = only(events, 'agent.mcp_tool_use');
    expect(use).toMatchObject({
      mcp_server_name: 'docs',
      name: 'find',
      input: { word: 'tea' },
      evaluated_permission: 'allow',
    });
    expect(only(events, 'agent.mcp_tool_result')).toMatchObject([
      { mcp_tool_use_id: use?.id, content: [{ type: 'text', text: 'Found tea.' }], is_error: false },
    ]);
    expect(JSON.stringify(only(events, 'agent.message'))).toContain('Found tea.');
    expect(only(events, 'session.error')).toEqual([]);
    expect(server.asked).toContain('call find');
    const listed = await client.beta.sessions.events.list(session);
    expect(JSON.stringify([events, listed.data, world.logs()])).not.toContain('canary-of-the-vault');
  });

  it('asks a person first where nothing else is said', async () => {
    const session = await openSession();
    const events = await say(session, '[[tool mcp__docs__drop {}]]');
    const [use] = only(events, 'agent.mcp_tool_use');
    expect(use).toMatchObject({ name: 'drop', evaluated_permission: 'ask' });
    expect(only(events, 'session.status_idle')[0]?.stop_reason).toEqual({
      type: 'requires_action',
      event_ids: [use?.id],
    });
    const before = server.asked.filter((what) => what === 'call drop').length;
    const confirmed = await send(session, {
      type: 'user.tool_confirmation',
      tool_use_id: use?.id ?? '',
      result: 'allow',
    });
    expect(only(confirmed, 'agent.mcp_tool_result')).toMatchObject([{ content: [{ text: 'dropped' }] }]);
    expect(server.asked.filter((what) => what === 'call drop')).toHaveLength(before + 1);
  });

  it('goes on without a server that lets it not in, or is not there, and says so', async () => {
    const stranger = await openSession(false);
    const refused = await say(stranger, '[[say still here]]');
    expect(only(refused, 'session.error')).toMatchObject([
      {
        error: {
          type: 'mcp_authentication_failed_error',
          mcp_server_name: 'docs',
          retry_status: { type: 'retrying' },
        },
      },
    ]);
    expect(JSON.stringify(only(refused, 'agent.message'))).toContain('still here');
    expect(only(refused, 'session.status_idle')[0]?.stop_reason).toEqual({ type: 'end_turn' });

    const session = await openSession();
    server.status = 503;
    const gone = await say(session, '[[say still here]]');
    expect(only(gone, 'session.error')).toMatchObject([
      { error: { type: 'mcp_connection_failed_error', mcp_server_name: 'docs' } },
    ]);
    expect(JSON.stringify(only(gone, 'agent.message'))).toContain('still here');
    server.status = null;
    const back = await say(session, '[[tool mcp__docs__find {"word":"milk"}]]');
    expect(only(back, 'session.error')).toEqual([]);
    expect(JSON.stringify(only(back, 'agent.mcp_tool_result'))).toContain('Found milk.');
  });
});
