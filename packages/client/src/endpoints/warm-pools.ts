// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { warmPoolRoutes } from '@capstan/schema/warm-pools';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function warmPools(transport: Transport) {
  return {
    /** How many sandboxes of an environment are ready, and what they cost */
    retrieve: endpoint<typeof warmPoolRoutes.retrieve>(transport, 'get', '/v1/environments/{environment_id}/warm_pool'),
  };
}
