import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exchangeRefreshToken, type RefreshGrant } from './oauth-refresh.ts';

const REFRESH = 'canary-refresh-token+1';
const CLIENT_SECRET = 'canary client:secret';

let server: Server;
let origin: string;
let answer: { status: number; type?: string; body: string; location?: string };
let asked: { headers: IncomingHttpHeaders; body: string }[];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ headers: request.headers, body });
    if (answer.location) response.setHeader('location', answer.location);
    response.writeHead(answer.status, { 'content-type': answer.type ?? 'application/json' });
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  asked = [];
  answer = { status: 200, body: '{"access_token":"new-access","token_type":"Bearer","expires_in":3600}' };
});

const reach = () => ({ allowPrivate: [new URL(origin).host] });
const exchange = (over: Partial<RefreshGrant> = {}) =>
  exchangeRefreshToken(
    {
      tokenEndpoint: `${origin}/token`,
      clientId: 'client one',
      refreshToken: REFRESH,
      authentication: { type: 'none' },
      resource: null,
      scope: null,
      ...over,
    },
    reach(),
  );
const sent = () => Object.fromEntries(new URLSearchParams(asked[0]?.body));

describe('a refresh token', () => {
  it('is exchanged by a client without a secret, which names itself in the body', async () => {
    const issued = await exchange({ scope: 'read write', resource: 'https://mcp.example.com' });
    const tokens = { accessToken: 'new-access', refreshToken: null, expiresInSeconds: 3600 };
    expect(issued).toEqual({ status: 'succeeded', tokens });
    expect(sent()).toEqual({
      grant_type: 'refresh_token',
      refresh_token: REFRESH,
      client_id: 'client one',
      scope: 'read write',
      resource: 'https://mcp.example.com',
    });
    expect(asked[0]?.headers).toMatchObject({ 'content-type': 'application/x-www-form-urlencoded' });
    expect(asked[0]?.headers.authorization).toBeUndefined();
  });

  it('is exchanged with a client secret in the header, both parts written as in a form', async () => {
    await exchange({ authentication: { type: 'client_secret_basic', clientSecret: CLIENT_SECRET } });
    const basic = asked[0]?.headers.authorization ?? '';
    expect(Buffer.from(basic.slice(6), 'base64').toString()).toBe('client+one:canary+client%3Asecret');
    expect(sent()).toEqual({ grant_type: 'refresh_token', refresh_token: REFRESH });
  });

  it('is exchanged with a client secret in the body', async () => {
    await exchange({ authentication: { type: 'client_secret_post', clientSecret: CLIENT_SECRET } });
    expect(sent()).toMatchObject({ client_id: 'client one', client_secret: CLIENT_SECRET });
    expect(asked[0]?.headers.authorization).toBeUndefined();
  });

  it('may be replaced by another', async () => {
    answer.body = '{"access_token":"a","refresh_token":"next","expires_in":"60"}';
    const tokens = { accessToken: 'a', refreshToken: 'next', expiresInSeconds: 60 };
    expect(await exchange()).toEqual({ status: 'succeeded', tokens });
  });

  it.each([
    [400, '{"error":"invalid_grant"}'],
    [200, '{"error":"bad_refresh_token"}'],
    [200, 'access_token=new-access'],
    [200, '{"access_token":"two words"}'],
    [200, '{"access_token":"x","token_type":"mac"}'],
    [200, '[]'],
    [500, ''],
  ])('is not exchanged by the answer %d %s', async (status, body) => {
    answer = { status, body };
    expect(await exchange()).toMatchObject({
      status: 'failed',
      response: { status_code: status, content_type: 'application/json', body_truncated: false },
    });
  });

  it('goes to no other place than its endpoint', async () => {
    answer = { status: 307, body: '', location: `${origin}/elsewhere` };
    expect(await exchange()).toMatchObject({ status: 'failed', response: { status_code: 307 } });
    expect(asked).toHaveLength(1);
  });

  it('has no endpoint in a private network, nor where nobody answers', async () => {
    const refused = { status: 'connect_error', reason: 'address_not_public' };
    expect(await exchange({ tokenEndpoint: 'https://169.254.169.254/token' })).toEqual(refused);
    const grant = { tokenEndpoint: 'http://127.0.0.1:9/', clientId: 'a', refreshToken: 'b' };
    const rest = { authentication: { type: 'none' as const }, resource: null, scope: null };
    const answer = await exchangeRefreshToken({ ...grant, ...rest }, { allowPrivate: ['127.0.0.1:9'] });
    expect(answer).toEqual({ status: 'connect_error', reason: 'unreachable' });
  });
});

describe('an answer without a token', () => {
  it('is shown without the secrets of either side, cut where it is long', async () => {
    const authentication = { type: 'client_secret_basic' as const, clientSecret: CLIENT_SECRET };
    const basic = btoa('client+one:canary+client%3Asecret');
    const echo = { refresh_token: REFRESH, said: encodeURIComponent(REFRESH), basic, CLIENT_SECRET };
    answer = {
      status: 401,
      body: JSON.stringify({ ...echo, access_token: 'somebody-elses', pad: 'x'.repeat(9_000) }),
    };
    const failed = await exchange({ authentication });
    const { response } = failed.status === 'failed' ? failed : { response: null };
    expect(response?.body).toHaveLength(4_096);
    expect(response?.body_truncated).toBe(true);
    expect(response?.body).toContain('"access_token":"***"');
    for (const text of ['canary', basic, 'somebody-elses']) expect(response?.body).not.toContain(text);
  });

  it.each([
    'access_token=somebody-elses&expires_in=28800&refresh_token=next-of-them&scope=',
    '{"Access_Token": "somebody-elses", "token_type":"mac"}',
  ])('is shown without tokens that it says in another form: %s', async (body) => {
    answer = { status: 200, body };
    const said = JSON.stringify(await exchange());
    expect(said).toContain('***');
    for (const text of ['somebody-elses', 'next-of-them']) expect(said).not.toContain(text);
  });

  it('shows no half of a secret where it is cut', async () => {
    answer = { status: 400, body: `${'x'.repeat(4_096 - 10)}${REFRESH}` };
    const failed = await exchange();
    expect(JSON.stringify(failed)).not.toContain('canary');
    expect(failed).toMatchObject({ response: { body: expect.stringMatching(/x\*\*\*$/) } });
  });
});
