// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { workRoutes } from '@capstan/schema/work';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function work(transport: Transport) {
  return {
    /** Take the oldest item that is nobody’s; 204 when there is none */
    poll: endpoint<typeof workRoutes.poll>(transport, 'get', '/v1/environments/{environment_id}/work/poll'),
    /** How much work waits, and how many workers poll */
    stats: endpoint<typeof workRoutes.stats>(transport, 'get', '/v1/environments/{environment_id}/work/stats'),
    /** List work items, newest first; those that stopped are kept for 30 days */
    list: endpoint<typeof workRoutes.list>(transport, 'get', '/v1/environments/{environment_id}/work'),
    /** Retrieve a work item */
    retrieve: endpoint<typeof workRoutes.retrieve>(transport, 'get', '/v1/environments/{environment_id}/work/{work_id}'),
    /** Change the metadata of a work item */
    update: endpoint<typeof workRoutes.update>(transport, 'post', '/v1/environments/{environment_id}/work/{work_id}'),
    /** Acknowledge an item that a poll gave: from then on it is the caller’s, for as long as it sends heartbeats */
    ack: endpoint<typeof workRoutes.ack>(transport, 'post', '/v1/environments/{environment_id}/work/{work_id}/ack'),
    /** Say that the item is still worked on, and learn whether it is to stop */
    heartbeat: endpoint<typeof workRoutes.heartbeat>(transport, 'post', '/v1/environments/{environment_id}/work/{work_id}/heartbeat'),
    /** Ask the worker to stop, which its next heartbeat tells it; by force, stop the item at once */
    stop: endpoint<typeof workRoutes.stop>(transport, 'post', '/v1/environments/{environment_id}/work/{work_id}/stop'),
  };
}
