// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { modelCardRoutes } from '@capstan/schema/model-cards';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function modelCards(transport: Transport) {
  return {
    /** Add a model of your own, or a key of your own for a known one */
    create: endpoint<typeof modelCardRoutes.create>(transport, 'post', '/v1/model_cards'),
    /** List model cards, newest first */
    list: endpoint<typeof modelCardRoutes.list>(transport, 'get', '/v1/model_cards'),
    /** Retrieve a model card */
    retrieve: endpoint<typeof modelCardRoutes.retrieve>(transport, 'get', '/v1/model_cards/{model_card_id}'),
    /** Change a model card: sessions that run use it from their next model call on */
    update: endpoint<typeof modelCardRoutes.update>(transport, 'post', '/v1/model_cards/{model_card_id}'),
    /** Delete a model card with its key */
    delete: endpoint<typeof modelCardRoutes.delete>(transport, 'delete', '/v1/model_cards/{model_card_id}'),
  };
}
