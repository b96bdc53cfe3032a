// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { environmentVersionRoutes } from '@capstan/schema/environment-versions';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function environmentVersions(transport: Transport) {
  return {
    /** List an environment's versions, newest first */
    list: endpoint<typeof environmentVersionRoutes.list>(transport, 'get', '/v1/environments/{environment_id}/versions'),
  };
}
