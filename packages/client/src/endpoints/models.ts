// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { modelRoutes } from '@capstan/schema/models';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function models(transport: Transport) {
  return {
    /** List the models that agents can name, the tenant's own first */
    list: endpoint<typeof modelRoutes.list>(transport, 'get', '/v1/models'),
    /** Retrieve what is known of a model */
    retrieve: endpoint<typeof modelRoutes.retrieve>(transport, 'get', '/v1/models/{model_id}'),
  };
}
