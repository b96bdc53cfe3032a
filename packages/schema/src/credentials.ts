// Credentials of a vault (spec §5.7). Their secrets are given and never shown.
import { z } from 'zod';
import { auth, authParam, authPatch } from './credential-auth.ts';
import { idSchema } from './ids.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

/** How many a vault has at most that are not archived. */
export const MAX_CREDENTIALS_PER_VAULT = 20;

export const credential = z
  .object({
    id: idSchema('credential'),
    type: z.literal('vault_credential'),
    vault_id: idSchema('vault'),
    display_name: z.string().nullable(),
    metadata,
    auth,
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'VaultCredential' });
export type Credential = z.infer<typeof credential>;

export const createCredential = z
  .object({
    auth: authParam.meta({
      example: {
        type: 'environment_variable',
        secret_name: 'STRIPE_API_KEY',
        secret_value: 'sk_test_…',
        networking: { type: 'limited', allowed_hosts: ['api.stripe.com'] },
      },
    }),
    display_name: z.string().max(255).nullish(),
    metadata: metadata.optional(),
  })
  .meta({ id: 'CreateVaultCredential' });

/** What is absent stays as it is. */
export const updateCredential = z
  .object({
    auth: authPatch.optional(),
    /** Null: none. */
    display_name: z.string().min(1).max(255).nullish(),
    metadata: metadataPatch.nullish(),
  })
  .meta({ id: 'UpdateVaultCredential' });
export type UpdateCredential = z.infer<typeof updateCredential>;

const httpResponse = z.object({
  status_code: z.int(),
  content_type: z.string(),
  /** Without secrets. */
  body: z.string(),
  body_truncated: z.boolean(),
});
export type CapturedResponse = z.infer<typeof httpResponse>;

export const credentialValidation = z
  .object({
    type: z.literal('vault_credential_validation'),
    credential_id: idSchema('credential'),
    vault_id: idSchema('vault'),
    /** `unknown`: the server could not be asked, or did not say. */
    status: z.enum(['valid', 'invalid', 'unknown']),
    has_refresh_token: z.boolean(),
    validated_at: timestamp,
    /** The step that failed. */
    mcp_probe: z.object({ method: z.string(), http_response: httpResponse.nullable() }).nullable(),
    /** The exchange that a 401 led to. */
    refresh: z
      .object({
        status: z.enum(['succeeded', 'failed', 'connect_error', 'no_refresh_token']),
        http_response: httpResponse.nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'VaultCredentialValidation' });
export type CredentialValidation = z.infer<typeof credentialValidation>;

const tag = 'Vault credentials';
const inVault = z.object({ vault_id: idSchema('vault') });
const params = inVault.extend({ credential_id: idSchema('credential') });

export const credentialRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/vaults/{vault_id}/credentials',
    operationId: 'createVaultCredential',
    summary: 'Put a credential into a vault',
    tag,
    access: 'key',
    once: true,
    params: inVault,
    body: createCredential,
    response: credential,
    errors: ['not_found', 'conflict'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/vaults/{vault_id}/credentials',
    operationId: 'listVaultCredentials',
    summary: 'List the credentials of a vault, newest first',
    tag,
    access: 'key',
    params: inVault,
    query: pageQuery({ default: 20, max: 100 }).extend({ include_archived: queryBoolean.default(false) }),
    response: pageOf(credential),
    errors: ['not_found'],
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/vaults/{vault_id}/credentials/{credential_id}',
    operationId: 'retrieveVaultCredential',
    summary: 'Retrieve a credential, without its secrets',
    tag,
    access: 'key',
    params,
    response: credential,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/vaults/{vault_id}/credentials/{credential_id}',
    operationId: 'updateVaultCredential',
    summary: 'Change or rotate a credential: running sessions have it at once',
    tag,
    access: 'key',
    params,
    body: updateCredential,
    response: credential,
    errors: ['not_found'],
  }),
  archive: defineRoute({
    method: 'post',
    path: '/v1/vaults/{vault_id}/credentials/{credential_id}/archive',
    operationId: 'archiveVaultCredential',
    summary: 'Archive a credential: its secrets are erased',
    tag,
    access: 'key',
    params,
    response: credential,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/vaults/{vault_id}/credentials/{credential_id}',
    operationId: 'deleteVaultCredential',
    summary: 'Delete a credential',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('credential'), type: z.literal('vault_credential_deleted') }),
    errors: ['not_found'],
  }),
  validate: defineRoute({
    method: 'post',
    path: '/v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate',
    operationId: 'validateVaultCredential',
    summary: 'Try an OAuth credential at its MCP server, and renew its token when the server refuses it',
    tag,
    access: 'key',
    params,
    response: credentialValidation,
    errors: ['not_found'],
  }),
};
