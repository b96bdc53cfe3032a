// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { usageRoutes } from '@capstan/schema/usage';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function usage(transport: Transport) {
  return {
    /** Sum up what model calls took, by day, model, agent or session */
    summarize: endpoint<typeof usageRoutes.summarize>(transport, 'get', '/v1/usage'),
  };
}
