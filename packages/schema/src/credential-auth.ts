// What a credential authenticates with: as it is given, as it is changed, and as it is shown, which is without its secrets.
import { z } from 'zod';
import { credentialHost } from './credential-host.ts';
import { timestamp } from './page.ts';

export const MAX_CREDENTIAL_HOSTS = 16;
const MAX_SECRET_CHARS = 32_768;

/** Also what is put into a header: one line of visible characters. */
const token = z
  .string()
  .min(1)
  .max(MAX_SECRET_CHARS)
  .regex(/^[\x21-\x7e]+$/, 'expected printable ASCII characters without spaces');
const secretValue = z
  .string()
  .min(1)
  .max(MAX_SECRET_CHARS)
  .refine((text) => !text.includes('\0'), 'must not contain a NUL character');
const clientSecret = z.string().min(1).max(MAX_SECRET_CHARS);
const text = z.string().min(1).max(4_096);

const serverUrl = z
  .string()
  .max(2_048)
  .refine(isServerUrl, 'expected an https url without credentials or a fragment');

/** Set for every command of a sandbox, or read by the shell: a placeholder there would break it. */
const TAKEN_NAMES = new RegExp(
  '^(?:PATH|HOME|PWD|OLDPWD|SHELL|SHELLOPTS|SHLVL|BASH.*|IFS|ENV|E?UID|PPID|LD_.*|_+capstan.*|CAPSTAN_.*|' +
    'https?_proxy|no_proxy|NODE_USE_ENV_PROXY|SSL_CERT_FILE|CURL_CA_BUNDLE|GIT_SSL_CAINFO|REQUESTS_CA_BUNDLE|' +
    'PIP_CERT|AWS_CA_BUNDLE|CARGO_HTTP_CAINFO|NIX_SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|DENO_CERT)$',
  'i',
);
const secretName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected letters, digits and _, and no digit first')
  .refine(
    (name) => !TAKEN_NAMES.test(name),
    'is a variable that sandboxes need themselves; choose another name',
  );

const authWithSecret = <const T extends string>(type: T) =>
  z.object({ type: z.literal(type), client_secret: clientSecret });
const tokenEndpointAuth = z.discriminatedUnion('type', [
  z.object({ type: z.literal('none') }),
  authWithSecret('client_secret_basic'),
  authWithSecret('client_secret_post'),
]);

const networking = z.discriminatedUnion('type', [
  z.object({ type: z.literal('unrestricted') }),
  z.object({
    type: z.literal('limited'),
    allowed_hosts: z
      .array(credentialHost)
      .min(1, 'name a host, or give {"type":"unrestricted"}')
      .max(MAX_CREDENTIAL_HOSTS),
  }),
]);
export type CredentialNetworking = z.infer<typeof networking>;

const injection = z.object({ header: z.boolean().optional(), body: z.boolean().optional() });
export const NO_INJECTION = 'at least one of header and body must be true';

export const authParam = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('mcp_oauth'),
    mcp_server_url: serverUrl,
    access_token: token,
    expires_at: timestamp.nullish(),
    refresh: z
      .object({
        client_id: text,
        refresh_token: token,
        token_endpoint: serverUrl,
        token_endpoint_auth: tokenEndpointAuth,
        resource: text.nullish(),
        scope: z.string().max(4_096).nullish(),
      })
      .nullish(),
  }),
  z.object({ type: z.literal('static_bearer'), mcp_server_url: serverUrl, token }),
  z.object({
    type: z.literal('environment_variable'),
    secret_name: secretName,
    secret_value: secretValue,
    networking,
    /** Absent: both. Of an object that is given, what is not named is off. */
    injection_location: injection
      .refine(({ header, body }) => header === true || body === true, NO_INJECTION)
      .optional(),
  }),
]);
export type AuthParam = z.infer<typeof authParam>;

/** What cannot change may be repeated as it is. */
const fixed = z.string().optional();
const endpointAuthPatch = z.object({
  type: z.enum(['client_secret_basic', 'client_secret_post']),
  client_secret: clientSecret.nullish(),
});

/** What is absent stays. Of secrets null does, too: a client that names what it does not change must not lose them. */
export const authPatch = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('mcp_oauth'),
    mcp_server_url: fixed,
    access_token: token.nullish(),
    /** Null: not known. */
    expires_at: timestamp.nullish(),
    refresh: z
      .object({
        client_id: fixed,
        token_endpoint: fixed,
        refresh_token: token.nullish(),
        /** Empty: none. */
        scope: z.string().max(4_096).nullish(),
        token_endpoint_auth: endpointAuthPatch.optional(),
      })
      .nullish(),
  }),
  z.object({ type: z.literal('static_bearer'), mcp_server_url: fixed, token: token.nullish() }),
  z.object({
    type: z.literal('environment_variable'),
    secret_name: fixed,
    secret_value: secretValue.nullish(),
    networking: networking.nullish(),
    injection_location: injection.optional(),
  }),
]);
export type AuthPatch = z.infer<typeof authPatch>;

const shownNetworking = z.discriminatedUnion('type', [
  z.object({ type: z.literal('unrestricted') }),
  z.object({ type: z.literal('limited'), allowed_hosts: z.array(z.string()) }),
]);

/** As it is shown. */
export const auth = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('mcp_oauth'),
    mcp_server_url: z.string(),
    expires_at: timestamp.nullable(),
    refresh: z
      .object({
        client_id: z.string(),
        token_endpoint: z.string(),
        token_endpoint_auth: z.object({
          type: z.enum(['none', 'client_secret_basic', 'client_secret_post']),
        }),
        resource: z.string().nullable(),
        scope: z.string().nullable(),
      })
      .nullable(),
  }),
  z.object({ type: z.literal('static_bearer'), mcp_server_url: z.string() }),
  z.object({
    type: z.literal('environment_variable'),
    secret_name: z.string(),
    networking: shownNetworking,
    injection_location: z.object({ header: z.boolean(), body: z.boolean() }),
  }),
]);
export type CredentialAuth = z.infer<typeof auth>;

/** One text for all spellings of a server's url: case, default port, slash at the end. */
export function serverKey(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/, '')}${search}`;
}

function isServerUrl(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, username, password, hash } = new URL(given);
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '';
}
