// Deployment runs: a record of each time a deployment began a session, or could not (spec §5.11).
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { agentReference } from './multiagent.ts';
import { createdAtBounds, pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';
import { runError } from './run-errors.ts';

const triggerContext = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('schedule'),
      /** When the expression matched: the exact minute, before jitter. */
      scheduled_at: timestamp,
    }),
    z.object({ type: z.literal('manual') }),
  ])
  .meta({ id: 'TriggerContext' });

export const deploymentRun = z
  .object({
    id: idSchema('deploymentRun'),
    type: z.literal('deployment_run'),
    deployment_id: idSchema('deployment'),
    agent: agentReference,
    trigger_context: triggerContext,
    /** Null when it could not begin: then there is an error. */
    session_id: idSchema('session').nullable(),
    error: runError.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'DeploymentRun' });
export type DeploymentRun = z.infer<typeof deploymentRun>;

const tag = 'Deployments';

export const deploymentRunRoutes = {
  list: defineRoute({
    method: 'get',
    path: '/v1/deployment_runs',
    operationId: 'listDeploymentRuns',
    summary: 'List runs of deployments, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 1000 }).extend({
      /** One that does not exist has no runs. */
      deployment_id: idSchema('deployment').optional(),
      has_error: queryBoolean.optional(),
      trigger_type: z.enum(['schedule', 'manual']).optional(),
      ...createdAtBounds,
    }),
    response: pageOf(deploymentRun),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/deployment_runs/{deployment_run_id}',
    operationId: 'retrieveDeploymentRun',
    summary: 'Retrieve a run of a deployment',
    tag,
    access: 'key',
    params: z.object({ deployment_run_id: idSchema('deploymentRun') }),
    response: deploymentRun,
    errors: ['not_found'],
  }),
};
