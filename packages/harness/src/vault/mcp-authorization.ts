// Authorization of a session's calls to MCP servers, from its vaults.
//  V1 Each call asks anew: a token that was rotated, archived or renewed elsewhere counts from the next call on.
//  V2 What is remembered is which version of a credential was given last, never a token.
export interface McpAuthorization {
  /** `Authorization` value for a server, refreshed when about to expire; null: none known. */
  for(serverUrl: string): Promise<string | null>;
  /** After a 401: a new value once, or null. */
  renew(serverUrl: string): Promise<string | null>;
}

/** A token that a vault has for a server. */
export interface McpToken {
  credentialId: string;
  /** Another one with each change of the credential. */
  version: number;
  token: string;
  /** Epoch ms; null: unknown, or never. */
  expiresAt: number | null;
}

/** The tokens in the session's vaults, as they are now. */
export interface McpTokens {
  /** Of the first vault that has one for the server. Null: none has, or it cannot be opened. */
  find(serverUrl: string): Promise<McpToken | null>;
  /** Has another one issued in its place, unless somebody did already. Null: that cannot be done. Never rejects for the issuer's sake. */
  renew(stale: McpToken): Promise<McpToken | null>;
}

/** So long before its end a token is renewed: a call must not outlive it. */
const MARGIN_MS = 60_000;

export function createMcpAuthorization(tokens: McpTokens, clock: { now(): number }): McpAuthorization {
  return new VaultAuthorization(tokens, clock);
}

class VaultAuthorization implements McpAuthorization {
  #tokens: McpTokens;
  #clock: { now(): number };
  /** By server: the version that was given last. */
  #given = new Map<string, string>();

  constructor(tokens: McpTokens, clock: { now(): number }) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  async for(serverUrl: string): Promise<string | null> {
    const found = await this.#tokens.find(serverUrl);
    if (found === null) return null;
    // One that cannot be renewed is tried as it is: its server says best whether it still counts.
    const token = this.#isEnding(found) ? ((await this.#tokens.renew(found)) ?? found) : found;
    return this.#give(serverUrl, token);
  }

  async renew(serverUrl: string): Promise<string | null> {
    const found = await this.#tokens.find(serverUrl);
    if (found === null) return null;
    if (this.#given.get(serverUrl) !== nameOf(found)) return this.#give(serverUrl, found);
    const renewed = await this.#tokens.renew(found);
    return renewed === null ? null : this.#give(serverUrl, renewed);
  }

  #isEnding({ expiresAt }: McpToken): boolean {
    return expiresAt !== null && expiresAt - MARGIN_MS <= this.#clock.now();
  }

  #give(serverUrl: string, token: McpToken): string {
    this.#given.set(serverUrl, nameOf(token));
    return `Bearer ${token.token}`;
  }
}

function nameOf({ credentialId, version }: McpToken): string {
  return `${credentialId}/${version}`;
}
