// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { deploymentRunRoutes } from '@capstan/schema/deployment-runs';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function deploymentRuns(transport: Transport) {
  return {
    /** List runs of deployments, newest first */
    list: endpoint<typeof deploymentRunRoutes.list>(transport, 'get', '/v1/deployment_runs'),
    /** Retrieve a run of a deployment */
    retrieve: endpoint<typeof deploymentRunRoutes.retrieve>(transport, 'get', '/v1/deployment_runs/{deployment_run_id}'),
  };
}
