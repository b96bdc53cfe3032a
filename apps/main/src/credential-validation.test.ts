import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openWorld, sha256Hex, type World } from './testing/world.ts';

const ACCESS = 'canary-access-token';
const NEXT_ACCESS = 'canary-access-token-that-replaces-it';

let server: Server;
let origin: string;
let world: World;
let client: Anthropic;
let vault: string;
/** The token that the MCP server takes; what it answers others with, and where. */
let taken: string;
let refusal: { status: number; at: string };
/** What the token endpoint answers. */
let issued: { status: number; body: object };
let asked: string[];

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  origin = `http://${host}`;
  world = await openWorld({
    secrets: {
      PLATFORM_ROOT_SECRET: 'a root secret for tests, 32 characters and more',
      BOOTSTRAP_API_KEY_SHA256: await sha256Hex('test-key-of-the-default-tenant'),
      PRIVATE_HOSTS: host,
      DNS_OVER_HTTPS_URL: `${origin}/names`,
    },
  });
  client = new Anthropic({ apiKey: world.key, baseURL: world.url, maxRetries: 0 });
});
afterAll(async () => {
  await world.close();
  server.close();
});
beforeEach(async () => {
  [taken, refusal, asked] = [ACCESS, { status: 401, at: 'initialize' }, []];
  issued = { status: 200, body: { access_token: NEXT_ACCESS, expires_in: 3600 } };
  vault = (await client.beta.vaults.create({ display_name: 'A vault' })).id;
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = '';
  for await (const chunk of request) text += chunk;
  if (request.url?.startsWith('/names')) {
    // No name has an address.
    response.writeHead(200, { 'content-type': 'application/dns-json' });
    return void response.end('{"Status":3}');
  }
  if (request.url === '/token') {
    asked.push('token');
    response.writeHead(issued.status, { 'content-type': 'application/json' });
    return void response.end(JSON.stringify(issued.body));
  }
  const method: string = request.method === 'DELETE' ? 'leave' : JSON.parse(text).method;
  asked.push(method);
  const good = request.headers.authorization === `Bearer ${taken}`;
  if (!good && method === refusal.at) {
    response.writeHead(refusal.status, { 'content-type': 'text/plain' });
    return void response.end(`no: ${request.headers.authorization}`);
  }
  response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'session-1' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: {} }));
}

const refreshable = () => ({
  client_id: 'client',
  refresh_token: 'canary-refresh-token',
  token_endpoint: `${origin}/token`,
  token_endpoint_auth: { type: 'client_secret_post' as const, client_secret: 'canary-client-secret' },
});

async function create(over: object = {}): Promise<string> {
  const auth = {
    type: 'mcp_oauth' as const,
    mcp_server_url: `${origin}/mcp`,
    access_token: ACCESS,
    refresh: refreshable(),
    ...over,
  };
  return (await client.beta.vaults.credentials.create(vault, { auth })).id;
}
const validate = async (id: string) => {
  const validation = await client.beta.vaults.credentials.mcpOAuthValidate(id, { vault_id: vault });
  expect(JSON.stringify(validation)).not.toContain('canary');
  return validation;
};

describe('the validation of a credential', () => {
  it('finds one valid that its server takes, and asks for no other', async () => {
    const id = await create();
    expect(await validate(id)).toEqual({
      type: 'vault_credential_validation',
      credential_id: id,
      vault_id: vault,
      status: 'valid',
      has_refresh_token: true,
      validated_at: expect.stringMatching(/Z$/),
      mcp_probe: null,
      refresh: null,
    });
    expect(asked).toEqual(['initialize', 'tools/list', 'leave']);
  });

  it('has another token issued after a 401, tries that, and keeps it', async () => {
    taken = NEXT_ACCESS;
    const id = await create();
    const refresh = { status: 'succeeded', http_response: null };
    expect(await validate(id)).toMatchObject({ status: 'valid', mcp_probe: null, refresh });
    expect(await validate(id)).toMatchObject({ status: 'valid', refresh: null });
    const kept = await client.beta.vaults.credentials.retrieve(id, { vault_id: vault });
    expect(kept.auth).toMatchObject({ expires_at: expect.stringMatching(/Z$/) });
    expect(world.logs().join('\n')).not.toContain('canary');
  });

  it('finds one invalid whose issuer gives no other, and shows what both said without secrets', async () => {
    [taken, issued] = [
      'none',
      { status: 400, body: { error: 'invalid_grant', refresh_token: 'canary-echoed' } },
    ];
    expect(await validate(await create())).toMatchObject({
      status: 'invalid',
      mcp_probe: {
        method: 'initialize',
        http_response: {
          status_code: 401,
          content_type: 'text/plain',
          body: 'no: Bearer ***',
          body_truncated: false,
        },
      },
      refresh: {
        status: 'failed',
        http_response: { status_code: 400, body: '{"error":"invalid_grant","refresh_token":"***"}' },
      },
    });
  });

  it('finds one invalid whose other token is refused, too', async () => {
    [taken, refusal] = ['none', { status: 401, at: 'tools/list' }];
    expect(await validate(await create())).toMatchObject({
      status: 'invalid',
      mcp_probe: { method: 'tools/list', http_response: { status_code: 401 } },
      refresh: { status: 'succeeded' },
    });
  });

  it.each([
    [403, 'invalid'],
    [404, 'unknown'],
    [503, 'unknown'],
  ])('tells of a %d that it is %s, and asks for no other token', async (status, verdict) => {
    [taken, refusal] = ['none', { status, at: 'initialize' }];
    const validation = await validate(await create());
    expect(validation).toMatchObject({ status: verdict, refresh: null });
    expect(asked).not.toContain('token');
  });

  it('knows nothing where nobody answers', async () => {
    const unreachable = await create({ mcp_server_url: 'https://mcp.nowhere.example' });
    expect(await validate(unreachable)).toMatchObject({
      status: 'unknown',
      mcp_probe: { method: 'initialize', http_response: null },
      refresh: null,
    });
    taken = 'none';
    const issuer = { ...refreshable(), token_endpoint: 'https://auth.nowhere.example' };
    const refresh = { status: 'connect_error', http_response: null };
    expect(await validate(await create({ refresh: issuer }))).toMatchObject({ status: 'unknown', refresh });
  });

  it('says where there is nothing to renew with', async () => {
    taken = 'none';
    const id = await create({ refresh: null });
    expect(await validate(id)).toMatchObject({
      status: 'invalid',
      has_refresh_token: false,
      refresh: { status: 'no_refresh_token', http_response: null },
    });
    await client.beta.vaults.credentials.archive(id, { vault_id: vault });
    expect(await validate(id)).toMatchObject({ status: 'invalid', mcp_probe: null, refresh: null });
  });

  it('is for OAuth alone, and for the owner alone', async () => {
    const auth = { type: 'static_bearer' as const, mcp_server_url: `${origin}/mcp`, token: 'canary' };
    const { id } = await client.beta.vaults.credentials.create(vault, { auth });
    await expect(validate(id)).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(/mcp_oauth/),
    });
    const stranger = new Anthropic({ apiKey: world.strangerKey, baseURL: world.url, maxRetries: 0 });
    const theirs = stranger.beta.vaults.credentials.mcpOAuthValidate(id, { vault_id: vault });
    await expect(theirs).rejects.toMatchObject({ status: 404 });
  });

  it.each([
    [{ mcp_server_url: 'http://127.0.0.1:10/mcp' }, /auth\.mcp_server_url/],
    [{ mcp_server_url: 'https://169.254.169.254/' }, /auth\.mcp_server_url/],
    [{ mcp_server_url: 'https://server.internal/' }, /auth\.mcp_server_url/],
  ])('is spared servers that are not public, which are refused at once: %j', async (over, message) => {
    await expect(create(over)).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(message),
    });
    const refresh = { ...refreshable(), token_endpoint: over.mcp_server_url };
    await expect(create({ refresh })).rejects.toMatchObject({
      message: expect.stringMatching(/auth\.refresh\.token_endpoint/),
    });
  });
});
