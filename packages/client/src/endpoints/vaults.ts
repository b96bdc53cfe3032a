// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { vaultRoutes } from '@capstan/schema/vaults';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function vaults(transport: Transport) {
  return {
    /** Create a vault */
    create: endpoint<typeof vaultRoutes.create>(transport, 'post', '/v1/vaults'),
    /** List vaults, newest first */
    list: endpoint<typeof vaultRoutes.list>(transport, 'get', '/v1/vaults'),
    /** Retrieve a vault */
    retrieve: endpoint<typeof vaultRoutes.retrieve>(transport, 'get', '/v1/vaults/{vault_id}'),
    /** Change the name or the metadata of a vault */
    update: endpoint<typeof vaultRoutes.update>(transport, 'post', '/v1/vaults/{vault_id}'),
    /** Archive a vault with its credentials: their secrets are erased, no new session may have it */
    archive: endpoint<typeof vaultRoutes.archive>(transport, 'post', '/v1/vaults/{vault_id}/archive'),
    /** Delete a vault with its credentials */
    delete: endpoint<typeof vaultRoutes.delete>(transport, 'delete', '/v1/vaults/{vault_id}'),
  };
}
