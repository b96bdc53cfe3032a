// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { organizationRoutes } from '@capstan/schema/organizations';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function organizations(transport: Transport) {
  return {
    /** Retrieve the organization that the key belongs to */
    retrieve: endpoint<typeof organizationRoutes.retrieve>(transport, 'get', '/v1/organizations/me'),
  };
}
