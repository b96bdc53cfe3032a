// A refresh token exchanged at its token endpoint (RFC 6749, section 6; resource indicators of RFC 8707).
//  1. What is sent goes to that endpoint alone: a redirect is a failure.
//  2. What comes back is shown without the secrets of either side.
import type { CapturedResponse } from '@capstan/schema/credentials';
import { captureResponse } from './captured-response.ts';
import { isSafeFetchError, type Reach, type SafeInit, safeFetch } from './safe-fetch.ts';

export interface RefreshGrant {
  tokenEndpoint: string;
  clientId: string;
  refreshToken: string;
  authentication:
    | { type: 'none' }
    | { type: 'client_secret_basic' | 'client_secret_post'; clientSecret: string };
  resource: string | null;
  scope: string | null;
}

export interface IssuedTokens {
  accessToken: string;
  /** Null: the old one stays good. */
  refreshToken: string | null;
  /** Null: not said. */
  expiresInSeconds: number | null;
}

export type Exchange =
  | { status: 'succeeded'; tokens: IssuedTokens }
  /** The endpoint gave no token: what it said instead. */
  | { status: 'failed'; response: CapturedResponse }
  /** There was no answer; `reason` names no secret. */
  | { status: 'connect_error'; reason: string };

const TIMEOUT_MS = 15_000;
const MAX_BYTES = 262_144;
/** Beyond it a number is no lifetime. */
const MAX_SECONDS = 10 * 365 * 86_400;

/** Never rejects for the endpoint's sake. */
export async function exchangeRefreshToken(grant: RefreshGrant, reach: Reach): Promise<Exchange> {
  const policy = { ...reach, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, redirects: 0 };
  try {
    const response = await safeFetch(grant.tokenEndpoint, requestOf(grant), policy);
    const tokens = response.ok ? tokensOf(await bodyOf(response.clone())) : null;
    if (tokens === null)
      return { status: 'failed', response: await captureResponse(response, secretsOf(grant)) };
    await response.body?.cancel();
    return { status: 'succeeded', tokens };
  } catch (error) {
    if (!isSafeFetchError(error)) throw error;
    return { status: 'connect_error', reason: error.reason };
  }
}

function requestOf(grant: RefreshGrant): SafeInit {
  const { authentication, clientId, refreshToken, resource, scope } = grant;
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken });
  const headers = new Headers({
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  });
  if (authentication.type === 'client_secret_basic') {
    headers.set('authorization', basicOf(clientId, authentication.clientSecret));
  } else {
    form.set('client_id', clientId);
    if (authentication.type === 'client_secret_post') form.set('client_secret', authentication.clientSecret);
  }
  if (scope !== null) form.set('scope', scope);
  if (resource !== null) form.set('resource', resource);
  return { method: 'POST', headers, body: form.toString() };
}

/** Both are written as in a form before they are joined (RFC 6749, section 2.3.1). */
function basicOf(clientId: string, clientSecret: string): string {
  const inForm = (text: string) => new URLSearchParams({ a: text }).toString().slice(2);
  return `Basic ${btoa(`${inForm(clientId)}:${inForm(clientSecret)}`)}`;
}

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  try {
    const body: unknown = await response.json();
    return body instanceof Object ? { ...body } : {};
  } catch (error) {
    if (isSafeFetchError(error) && error.reason === 'timeout') throw error;
    return {};
  }
}

function tokensOf(body: Record<string, unknown>): IssuedTokens | null {
  const { access_token: access, refresh_token: refresh, token_type: type = 'bearer' } = body;
  if (!isToken(access) || typeof type !== 'string' || type.toLowerCase() !== 'bearer') return null;
  const seconds = Number(body.expires_in ?? Number.NaN);
  return {
    accessToken: access,
    refreshToken: isToken(refresh) ? refresh : null,
    expiresInSeconds: seconds > 0 && seconds <= MAX_SECONDS ? seconds : null,
  };
}

/** Fit for a header, and for a row. */
function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,32768}$/.test(value);
}

function secretsOf({ refreshToken, clientId, authentication }: RefreshGrant): string[] {
  if (authentication.type === 'none') return [refreshToken];
  const { clientSecret } = authentication;
  return [refreshToken, clientSecret, basicOf(clientId, clientSecret).slice('Basic '.length)];
}
