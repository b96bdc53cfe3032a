// What a credential authenticates with, from requests to what is kept: one part that is shown, and one that never is.
import type { CredentialSecrets } from '@capstan/db/credential-secrets';
import {
  type AuthParam,
  type AuthPatch,
  type CredentialAuth,
  NO_INJECTION,
} from '@capstan/schema/credential-auth';
import { ApiError } from '@capstan/schema/error';
import { urlProblem } from '@capstan/shared/public-url';
import type { Reach } from '@capstan/shared/safe-fetch';

export interface KeptAuth {
  shown: CredentialAuth;
  secrets: CredentialSecrets;
}

type Of<T, K> = Extract<T, { type: K }>;
type Oauth = Of<CredentialAuth, 'mcp_oauth'>;
type OauthPatch = Of<AuthPatch, 'mcp_oauth'>;
type Refresh = NonNullable<Oauth['refresh']>;

/** Refuses (`invalid_request`) an expiry in the past. `now` is epoch ms. */
export function toAuth(param: AuthParam, now: number): KeptAuth {
  switch (param.type) {
    case 'mcp_oauth':
      return toOauth(param, now);
    case 'static_bearer':
      return {
        shown: { type: param.type, mcp_server_url: param.mcp_server_url },
        secrets: { value: param.token },
      };
    case 'environment_variable': {
      const { type, secret_name, secret_value, networking, injection_location: given } = param;
      const { header = false, body = false } = given ?? { header: true, body: true };
      const shown = { type, secret_name, networking, injection_location: { header, body } };
      return { shown, secrets: { value: secret_value } };
    }
  }
}

/** Refuses (`invalid_request`) urls that its tokens would not be sent to. */
export function requirePublic(
  auth: CredentialAuth,
  { allowPrivate = [] }: Pick<Reach, 'allowPrivate'>,
): void {
  if (auth.type === 'environment_variable') return;
  const urls = [['auth.mcp_server_url', auth.mcp_server_url]];
  if (auth.type === 'mcp_oauth' && auth.refresh !== null)
    urls.push(['auth.refresh.token_endpoint', auth.refresh.token_endpoint]);
  for (const [field = '', url = ''] of urls) {
    const problem = urlProblem(url, { allowPrivate });
    if (problem !== null) throw new ApiError('invalid_request', `${field}: ${problem}`);
  }
}

/** Refuses (`invalid_request`) another type, and a change of what cannot change. */
export function patchAuth({ shown, secrets }: KeptAuth, patch: AuthPatch, now: number): KeptAuth {
  if (shown.type === 'mcp_oauth' && patch.type === 'mcp_oauth')
    return patchOauth({ shown, secrets }, patch, now);
  if (shown.type === 'static_bearer' && patch.type === 'static_bearer') {
    requireSame('auth.mcp_server_url', patch.mcp_server_url, shown.mcp_server_url);
    return { shown, secrets: { value: patch.token ?? secrets.value } };
  }
  if (shown.type === 'environment_variable' && patch.type === 'environment_variable') {
    requireSame('auth.secret_name', patch.secret_name, shown.secret_name);
    const networking = patch.networking ?? shown.networking;
    const { header = shown.injection_location.header, body = shown.injection_location.body } =
      patch.injection_location ?? {};
    if (!header && !body) throw new ApiError('invalid_request', `auth.injection_location: ${NO_INJECTION}`);
    const next = { ...shown, networking, injection_location: { header, body } };
    return { shown: next, secrets: { value: patch.secret_value ?? secrets.value } };
  }
  throw new ApiError(
    'invalid_request',
    `auth.type: is ${shown.type} and cannot be changed; create another credential`,
  );
}

function toOauth(param: Of<AuthParam, 'mcp_oauth'>, now: number): KeptAuth {
  const { type, mcp_server_url, access_token, refresh } = param;
  const shown = { type, mcp_server_url, expires_at: toExpiry(param.expires_at ?? null, now), refresh: null };
  if (!refresh) return { shown, secrets: { value: access_token } };
  const { client_id, refresh_token, token_endpoint, token_endpoint_auth: endpoint } = refresh;
  return {
    shown: {
      ...shown,
      refresh: {
        client_id,
        token_endpoint,
        token_endpoint_auth: { type: endpoint.type },
        resource: refresh.resource ?? null,
        scope: refresh.scope || null,
      },
    },
    secrets: {
      value: access_token,
      refreshToken: refresh_token,
      ...(endpoint.type === 'none' ? {} : { clientSecret: endpoint.client_secret }),
    },
  };
}

function patchOauth(
  { shown, secrets }: { shown: Oauth } & KeptAuth,
  patch: OauthPatch,
  now: number,
): KeptAuth {
  requireSame('auth.mcp_server_url', patch.mcp_server_url, shown.mcp_server_url);
  const expires_at = patch.expires_at === undefined ? shown.expires_at : toExpiry(patch.expires_at, now);
  const next = { ...shown, expires_at };
  const value = patch.access_token ?? secrets.value;
  if (!patch.refresh) return { shown: next, secrets: { ...secrets, value } };
  if (shown.refresh === null)
    throw new ApiError(
      'invalid_request',
      'auth.refresh: this credential was made without; create another one',
    );
  const { refresh_token, scope } = patch.refresh;
  const clientSecret = clientSecretOf(shown.refresh, patch.refresh) ?? secrets.clientSecret;
  requireSame('auth.refresh.client_id', patch.refresh.client_id, shown.refresh.client_id);
  requireSame('auth.refresh.token_endpoint', patch.refresh.token_endpoint, shown.refresh.token_endpoint);
  return {
    shown: { ...next, refresh: { ...shown.refresh, scope: (scope ?? shown.refresh.scope) || null } },
    secrets: {
      value,
      refreshToken: refresh_token ?? secrets.refreshToken,
      ...(clientSecret === undefined ? {} : { clientSecret }),
    },
  };
}

/** The kind of authentication stays, whichever of the two with a secret is named. */
function clientSecretOf(shown: Refresh, patch: NonNullable<OauthPatch['refresh']>): string | undefined {
  const { token_endpoint_auth: endpoint } = patch;
  if (endpoint === undefined) return undefined;
  if (shown.token_endpoint_auth.type === 'none')
    throw new ApiError(
      'invalid_request',
      'auth.refresh.token_endpoint_auth: is none and cannot be changed; create another credential',
    );
  return endpoint.client_secret ?? undefined;
}

function toExpiry(text: string | null, now: number): string | null {
  if (text === null) return null;
  const at = Date.parse(text);
  if (at > now) return new Date(at).toISOString();
  throw new ApiError(
    'invalid_request',
    'auth.expires_at: must be in the future; get a new token, or leave it out',
  );
}

function requireSame(field: string, given: string | undefined, kept: string): void {
  if (given === undefined || given === kept) return;
  throw new ApiError(
    'invalid_request',
    `${field}: cannot be changed; archive this credential and create another`,
  );
}
