// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { deploymentRoutes } from '@capstan/schema/deployments';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function deployments(transport: Transport) {
  return {
    /** Create a deployment */
    create: endpoint<typeof deploymentRoutes.create>(transport, 'post', '/v1/deployments'),
    /** List deployments, newest first */
    list: endpoint<typeof deploymentRoutes.list>(transport, 'get', '/v1/deployments'),
    /** Retrieve a deployment */
    retrieve: endpoint<typeof deploymentRoutes.retrieve>(transport, 'get', '/v1/deployments/{deployment_id}'),
    /** Change a deployment: runs that have begun keep what it was */
    update: endpoint<typeof deploymentRoutes.update>(transport, 'post', '/v1/deployments/{deployment_id}'),
    /** Run a deployment now, also while it is paused */
    run: endpoint<typeof deploymentRoutes.run>(transport, 'post', '/v1/deployments/{deployment_id}/run'),
    /** Stop the schedule of a deployment */
    pause: endpoint<typeof deploymentRoutes.pause>(transport, 'post', '/v1/deployments/{deployment_id}/pause'),
    /** Let the schedule of a deployment go on; runs that fell into the pause are not made up for */
    unpause: endpoint<typeof deploymentRoutes.unpause>(transport, 'post', '/v1/deployments/{deployment_id}/unpause'),
    /** Archive a deployment for good: its sessions go on, it starts no more */
    archive: endpoint<typeof deploymentRoutes.archive>(transport, 'post', '/v1/deployments/{deployment_id}/archive'),
    /** Delete a deployment with its run records: its sessions stay */
    delete: endpoint<typeof deploymentRoutes.delete>(transport, 'delete', '/v1/deployments/{deployment_id}'),
  };
}
