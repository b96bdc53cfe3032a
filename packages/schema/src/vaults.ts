// Vaults: named sets of credentials that sessions are given (spec §5.7).
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

const displayName = z.string().min(1).max(255);

export const vault = z
  .object({
    id: idSchema('vault'),
    type: z.literal('vault'),
    display_name: z.string(),
    metadata,
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'Vault' });
export type Vault = z.infer<typeof vault>;

export const createVault = z
  .object({
    display_name: displayName.meta({ example: 'Production' }),
    metadata: metadata.optional(),
  })
  .meta({ id: 'CreateVault' });

/** What is absent or null stays as it is: a vault always has a name. */
export const updateVault = z
  .object({ display_name: displayName.nullish(), metadata: metadataPatch.nullish() })
  .meta({ id: 'UpdateVault' });

const tag = 'Vaults';
const params = z.object({ vault_id: idSchema('vault') });

export const vaultRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/vaults',
    operationId: 'createVault',
    summary: 'Create a vault',
    tag,
    access: 'key',
    once: true,
    body: createVault,
    response: vault,
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/vaults',
    operationId: 'listVaults',
    summary: 'List vaults, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({ include_archived: queryBoolean.default(false) }),
    response: pageOf(vault),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/vaults/{vault_id}',
    operationId: 'retrieveVault',
    summary: 'Retrieve a vault',
    tag,
    access: 'key',
    params,
    response: vault,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/vaults/{vault_id}',
    operationId: 'updateVault',
    summary: 'Change the name or the metadata of a vault',
    tag,
    access: 'key',
    params,
    body: updateVault,
    response: vault,
    errors: ['not_found'],
  }),
  archive: defineRoute({
    method: 'post',
    path: '/v1/vaults/{vault_id}/archive',
    operationId: 'archiveVault',
    summary: 'Archive a vault with its credentials: their secrets are erased, no new session may have it',
    tag,
    access: 'key',
    params,
    response: vault,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/vaults/{vault_id}',
    operationId: 'deleteVault',
    summary: 'Delete a vault with its credentials',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('vault'), type: z.literal('vault_deleted') }),
    errors: ['not_found'],
  }),
};
