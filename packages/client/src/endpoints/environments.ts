// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { environmentRoutes } from '@capstan/schema/environments';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function environments(transport: Transport) {
  return {
    /** Create an environment */
    create: endpoint<typeof environmentRoutes.create>(transport, 'post', '/v1/environments'),
    /** List environments, newest first */
    list: endpoint<typeof environmentRoutes.list>(transport, 'get', '/v1/environments'),
    /** Retrieve an environment */
    retrieve: endpoint<typeof environmentRoutes.retrieve>(transport, 'get', '/v1/environments/{environment_id}'),
    /** Change an environment: sessions that exist keep what it was */
    update: endpoint<typeof environmentRoutes.update>(transport, 'post', '/v1/environments/{environment_id}'),
    /** Archive an environment: no new sessions, those that exist go on */
    archive: endpoint<typeof environmentRoutes.archive>(transport, 'post', '/v1/environments/{environment_id}/archive'),
    /** Delete an environment: sessions that exist go on */
    delete: endpoint<typeof environmentRoutes.delete>(transport, 'delete', '/v1/environments/{environment_id}'),
  };
}
