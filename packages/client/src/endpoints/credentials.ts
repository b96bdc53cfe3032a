// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { credentialRoutes } from '@capstan/schema/credentials';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function credentials(transport: Transport) {
  return {
    /** Put a credential into a vault */
    create: endpoint<typeof credentialRoutes.create>(transport, 'post', '/v1/vaults/{vault_id}/credentials'),
    /** List the credentials of a vault, newest first */
    list: endpoint<typeof credentialRoutes.list>(transport, 'get', '/v1/vaults/{vault_id}/credentials'),
    /** Retrieve a credential, without its secrets */
    retrieve: endpoint<typeof credentialRoutes.retrieve>(transport, 'get', '/v1/vaults/{vault_id}/credentials/{credential_id}'),
    /** Change or rotate a credential: running sessions have it at once */
    update: endpoint<typeof credentialRoutes.update>(transport, 'post', '/v1/vaults/{vault_id}/credentials/{credential_id}'),
    /** Archive a credential: its secrets are erased */
    archive: endpoint<typeof credentialRoutes.archive>(transport, 'post', '/v1/vaults/{vault_id}/credentials/{credential_id}/archive'),
    /** Delete a credential */
    delete: endpoint<typeof credentialRoutes.delete>(transport, 'delete', '/v1/vaults/{vault_id}/credentials/{credential_id}'),
    /** Try an OAuth credential at its MCP server, and renew its token when the server refuses it */
    validate: endpoint<typeof credentialRoutes.validate>(transport, 'post', '/v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate'),
  };
}
