import { describe, expect, it } from 'vitest';
import { createMcpAuthorization, type McpToken, type McpTokens } from './mcp-authorization.ts';

const SERVER = 'https://mcp.example.com/mcp';
const NOW = 1_000_000;
const MINUTE = 60_000;

/** A vault with at most one token, whose issuer gives `next` for it. */
class OneToken implements McpTokens {
  kept: McpToken | null;
  next: McpToken | null = null;
  renewals = 0;

  constructor(kept: McpToken | null) {
    this.kept = kept;
  }

  async find(serverUrl: string): Promise<McpToken | null> {
    return serverUrl === SERVER ? this.kept : null;
  }

  async renew(stale: McpToken): Promise<McpToken | null> {
    this.renewals += 1;
    if (this.kept?.version !== stale.version || this.next === null) return null;
    this.kept = this.next;
    return this.kept;
  }
}

const token = (version: number, expiresAt: number | null = null): McpToken => ({
  credentialId: 'vcrd_1',
  version,
  token: `token-${version}`,
  expiresAt,
});

function open(kept: McpToken | null) {
  const tokens = new OneToken(kept);
  return { tokens, authorization: createMcpAuthorization(tokens, { now: () => NOW }) };
}

describe('the authorization of a call to an MCP server', () => {
  it('is the bearer token of its credential, and none where there is no credential', async () => {
    const { authorization } = open(token(1));
    expect(await authorization.for(SERVER)).toBe('Bearer token-1');
    expect(await authorization.for('https://other.example.com')).toBeNull();
    expect(await authorization.renew('https://other.example.com')).toBeNull();
  });

  it('is what the vault has at the time of the call', async () => {
    const { authorization, tokens } = open(token(1));
    await authorization.for(SERVER);
    tokens.kept = token(2);
    expect(await authorization.for(SERVER)).toBe('Bearer token-2');
    tokens.kept = null;
    expect(await authorization.for(SERVER)).toBeNull();
  });

  it('is renewed within the last minute of a token, and not before', async () => {
    for (const [left, renewals] of [
      [MINUTE + 1, 0],
      [MINUTE, 1],
      [-MINUTE, 1],
    ] as const) {
      const { authorization, tokens } = open(token(1, NOW + left));
      tokens.next = token(2, NOW + 60 * MINUTE);
      expect(await authorization.for(SERVER)).toBe(`Bearer token-${1 + renewals}`);
      expect(tokens.renewals).toBe(renewals);
    }
  });

  it('is the old token when that cannot be renewed', async () => {
    const { authorization } = open(token(1, NOW));
    expect(await authorization.for(SERVER)).toBe('Bearer token-1');
  });

  it('is a new token after a refusal, or none when there is none to be had', async () => {
    const { authorization, tokens } = open(token(1));
    await authorization.for(SERVER);
    expect(await authorization.renew(SERVER)).toBeNull();
    tokens.next = token(2);
    expect(await authorization.renew(SERVER)).toBe('Bearer token-2');
    expect(tokens.renewals).toBe(2);
  });

  it('is the token that somebody else put there since, without asking the issuer', async () => {
    const { authorization, tokens } = open(token(1));
    await authorization.for(SERVER);
    tokens.kept = token(5);
    expect(await authorization.renew(SERVER)).toBe('Bearer token-5');
    expect(tokens.renewals).toBe(0);
  });
});
