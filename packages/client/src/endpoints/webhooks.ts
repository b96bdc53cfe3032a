// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { webhookRoutes } from '@capstan/schema/webhooks';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function webhooks(transport: Transport) {
  return {
    /** Create a webhook endpoint */
    create: endpoint<typeof webhookRoutes.create>(transport, 'post', '/v1/organizations/webhooks'),
    /** List webhook endpoints by creation time */
    list: endpoint<typeof webhookRoutes.list>(transport, 'get', '/v1/organizations/webhooks'),
    /** Retrieve a webhook endpoint */
    retrieve: endpoint<typeof webhookRoutes.retrieve>(transport, 'get', '/v1/organizations/webhooks/{webhook_endpoint_id}'),
    /** Change, enable or disable a webhook endpoint */
    update: endpoint<typeof webhookRoutes.update>(transport, 'post', '/v1/organizations/webhooks/{webhook_endpoint_id}'),
    /** Delete a webhook endpoint with its deliveries */
    delete: endpoint<typeof webhookRoutes.delete>(transport, 'delete', '/v1/organizations/webhooks/{webhook_endpoint_id}'),
    /** Make a new signing secret; for a day the one before signs as well */
    regenerateSigningSecret: endpoint<typeof webhookRoutes.regenerateSigningSecret>(transport, 'post', '/v1/organizations/webhooks/{webhook_endpoint_id}/regenerate_signing_secret'),
    /** Send the endpoint an event of type `webhook_endpoint.ping` */
    ping: endpoint<typeof webhookRoutes.ping>(transport, 'post', '/v1/organizations/webhooks/{webhook_endpoint_id}/ping'),
    /** Deliver again what happened in a stretch of time, delivered before or not */
    replayRange: endpoint<typeof webhookRoutes.replayRange>(transport, 'post', '/v1/organizations/webhooks/{webhook_endpoint_id}/replay'),
    /** List deliveries with their attempts, newest first */
    listDeliveries: endpoint<typeof webhookRoutes.listDeliveries>(transport, 'get', '/v1/organizations/webhooks/{webhook_endpoint_id}/deliveries'),
    /** Retrieve a delivery */
    retrieveDelivery: endpoint<typeof webhookRoutes.retrieveDelivery>(transport, 'get', '/v1/organizations/webhooks/{webhook_endpoint_id}/deliveries/{delivery_id}'),
    /** Deliver the event of a delivery again */
    replay: endpoint<typeof webhookRoutes.replay>(transport, 'post', '/v1/organizations/webhooks/{webhook_endpoint_id}/deliveries/{delivery_id}/replay'),
  };
}
