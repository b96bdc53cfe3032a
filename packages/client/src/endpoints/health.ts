// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { healthRoutes } from '@capstan/schema/health';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function health(transport: Transport) {
  return {
    /** Ask every backend; 503 when one does not answer */
    check: endpoint<typeof healthRoutes.check>(transport, 'get', '/health'),
  };
}
