// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { environmentKeyRoutes } from '@capstan/schema/environment-keys';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function environmentKeys(transport: Transport) {
  return {
    /** Make a key for workers of a self-hosted environment: it is shown only now */
    create: endpoint<typeof environmentKeyRoutes.create>(transport, 'post', '/v1/environments/{environment_id}/keys'),
    /** List the keys of an environment, newest first */
    list: endpoint<typeof environmentKeyRoutes.list>(transport, 'get', '/v1/environments/{environment_id}/keys'),
    /** Revoke a key: within seconds nothing is admitted with it, nor with what it was given for work items */
    delete: endpoint<typeof environmentKeyRoutes.delete>(transport, 'delete', '/v1/environments/{environment_id}/keys/{key_id}'),
  };
}
