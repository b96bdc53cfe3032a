// Runs of deployments over HTTP.
import { stores } from '@capstan/db/stores';
import { deploymentRunRoutes } from '@capstan/schema/deployment-runs';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountDeploymentRuns(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, deploymentRunRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).deploymentRuns.list({
      limit: query.limit,
      page: query.page,
      deploymentId: query.deployment_id,
      hasError: query.has_error,
      triggerType: query.trigger_type,
      created: query,
    }),
  );

  mount(surface, deploymentRunRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).deploymentRuns.retrieve(params.deployment_run_id),
  );
}
