// Deployments: an agent with all it needs to work by itself, on a schedule or when asked (spec §5.11).
import { z } from 'zod';
import { budget } from './budgets.ts';
import { MAX_CRON_CHARS, parseCron } from './cron.ts';
import { deploymentRun } from './deployment-runs.ts';
import { deploymentEvents } from './events/user-events.ts';
import { idSchema } from './ids.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { agentParam, agentReference } from './multiagent.ts';
import { createdAtBounds, pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { resourceConfig, resourceParams } from './resources.ts';
import { defineRoute } from './route.ts';
import { pausingErrorType } from './run-errors.ts';
import { MAX_VAULTS } from './sessions.ts';
import { isTimeZone } from './time-zone.ts';

/** Deployments of a tenant that have a schedule and are not archived. */
export const MAX_SCHEDULED = 1000;

const MAX_RESOURCES = 500;
const UPCOMING = 5;

const missedRuns = z.enum(['skip', 'latest', 'all']);
export type MissedRuns = z.infer<typeof missedRuns>;

const scheduleParam = z
  .object({
    type: z.literal('cron'),
    expression: z
      .string()
      .max(MAX_CRON_CHARS)
      .superRefine((text, context) => {
        const read = parseCron(text);
        if ('problem' in read) context.addIssue({ code: 'custom', message: read.problem });
      })
      .meta({ example: '0 9 * * 1-5' }),
    timezone: z
      .string()
      .refine(isTimeZone, 'is no time zone of the IANA database; write e.g. "Europe/Berlin" or "UTC"')
      .meta({ example: 'Europe/Berlin' }),
  })
  .meta({ id: 'ScheduleParam' });
export type ScheduleParam = z.infer<typeof scheduleParam>;

const schedule = z
  .object({
    type: z.literal('cron'),
    expression: z.string(),
    timezone: z.string(),
    /** Manual runs do not count. */
    last_run_at: timestamp.nullable(),
    /** Exact fire times, without jitter; none once the deployment is archived. */
    upcoming_runs_at: z.array(timestamp).max(UPCOMING),
  })
  .meta({ id: 'Schedule' });

const pausedReason = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('manual') }),
    z.object({ type: z.literal('error'), error: z.object({ type: pausingErrorType }) }),
  ])
  .meta({ id: 'PausedReason' });
export type PausedReason = z.infer<typeof pausedReason>;

export interface DeploymentAddress {
  tenantId: string;
  deploymentId: string;
}

/** What keeps the schedules: a clock for each deployment. */
export interface DeploymentClocks {
  /** A schedule is about to be written: once it is, the clock finds it, also when nobody comes to say so. */
  expect(address: DeploymentAddress): Promise<void>;
  /** What its clock goes by was written. */
  look(address: DeploymentAddress): Promise<void>;
}

/** Our extension. */
const extensionParam = z.object({
  missed_runs: missedRuns.nullish().meta({
    description:
      'What becomes of runs that could not start within five minutes: `skip` (the default) leaves them out, `latest` makes up for the last of them, `all` for each, up to the last 100.',
  }),
});

export const deployment = z
  .object({
    id: idSchema('deployment'),
    type: z.literal('deployment'),
    name: z.string(),
    description: z.string().nullable(),
    agent: agentReference,
    environment_id: idSchema('environment'),
    initial_events: z.array(deploymentEvents.element),
    resources: z.array(resourceConfig),
    vault_ids: z.array(z.string()),
    budget: budget.nullable(),
    schedule: schedule.nullable(),
    status: z.enum(['active', 'paused']),
    paused_reason: pausedReason.nullable(),
    metadata,
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
    capstan: z.object({
      missed_runs: missedRuns,
      upcoming_starts_at: z.array(timestamp).meta({
        description: 'When the upcoming runs start: their fire times with the jitter of each.',
      }),
    }),
  })
  .meta({ id: 'Deployment' });
export type Deployment = z.infer<typeof deployment>;

const agent = z.union([idSchema('agent'), agentParam]);
const vaultIds = z.array(z.string().min(1).max(128)).max(MAX_VAULTS);
const name = z.string().min(1).max(256);
const description = z.string().max(4096).nullish();
const resources = resourceParams.refine(
  (params) => params.length <= MAX_RESOURCES,
  `at most ${MAX_RESOURCES} resources`,
);

export const createDeployment = z
  .object({
    name,
    description,
    agent,
    environment_id: idSchema('environment'),
    /** Each run's session begins with them. */
    initial_events: deploymentEvents,
    schedule: scheduleParam.nullish(),
    resources: resources.nullish(),
    vault_ids: vaultIds.nullish(),
    /** Of each run. */
    budget: budget.nullish(),
    metadata: metadata.optional(),
    capstan: extensionParam.nullish(),
  })
  .meta({ id: 'CreateDeployment' });
export type CreateDeployment = z.infer<typeof createDeployment>;

/** What is absent stays. */
export const updateDeployment = z
  .object({
    name: name.optional(),
    description,
    /** An id alone pins the current version. */
    agent: agent.optional(),
    environment_id: idSchema('environment').optional(),
    initial_events: deploymentEvents.optional(),
    /** Null: it runs only when asked. */
    schedule: scheduleParam.nullish(),
    /** Replaces them all, tokens too; null or an empty list leaves none. */
    resources: resources.nullish(),
    vault_ids: vaultIds.nullish(),
    budget: budget.nullish(),
    metadata: metadataPatch.nullish(),
    capstan: extensionParam.nullish(),
  })
  .meta({ id: 'UpdateDeployment' });
export type UpdateDeployment = z.infer<typeof updateDeployment>;

const tag = 'Deployments';
const params = z.object({ deployment_id: idSchema('deployment') });
const one = { tag, access: 'key', params } as const;

export const deploymentRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/deployments',
    operationId: 'createDeployment',
    summary: 'Create a deployment',
    tag,
    access: 'key',
    once: true,
    body: createDeployment,
    response: deployment,
    errors: ['not_found', 'too_large'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/deployments',
    operationId: 'listDeployments',
    summary: 'List deployments, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 })
      .extend({
        agent_id: idSchema('agent').optional(),
        status: z.enum(['active', 'paused']).optional(),
        include_archived: queryBoolean.optional(),
        ...createdAtBounds,
      })
      .refine(({ status, include_archived }) => status === undefined || include_archived !== true, {
        path: ['status'],
        message: 'cannot be combined with include_archived; send one of them',
      }),
    response: pageOf(deployment),
  }),
  retrieve: defineRoute({
    ...one,
    method: 'get',
    path: '/v1/deployments/{deployment_id}',
    operationId: 'retrieveDeployment',
    summary: 'Retrieve a deployment',
    response: deployment,
    errors: ['not_found'],
  }),
  update: defineRoute({
    ...one,
    method: 'post',
    path: '/v1/deployments/{deployment_id}',
    operationId: 'updateDeployment',
    summary: 'Change a deployment: runs that have begun keep what it was',
    body: updateDeployment,
    response: deployment,
    errors: ['not_found', 'too_large'],
  }),
  run: defineRoute({
    ...one,
    method: 'post',
    path: '/v1/deployments/{deployment_id}/run',
    operationId: 'runDeployment',
    summary: 'Run a deployment now, also while it is paused',
    once: true,
    response: deploymentRun,
    errors: ['not_found'],
  }),
  pause: defineRoute({
    ...one,
    method: 'post',
    path: '/v1/deployments/{deployment_id}/pause',
    operationId: 'pauseDeployment',
    summary: 'Stop the schedule of a deployment',
    response: deployment,
    errors: ['not_found'],
  }),
  unpause: defineRoute({
    ...one,
    method: 'post',
    path: '/v1/deployments/{deployment_id}/unpause',
    operationId: 'unpauseDeployment',
    summary: 'Let the schedule of a deployment go on; runs that fell into the pause are not made up for',
    response: deployment,
    errors: ['not_found'],
  }),
  archive: defineRoute({
    ...one,
    method: 'post',
    path: '/v1/deployments/{deployment_id}/archive',
    operationId: 'archiveDeployment',
    summary: 'Archive a deployment for good: its sessions go on, it starts no more',
    response: deployment,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    ...one,
    method: 'delete',
    path: '/v1/deployments/{deployment_id}',
    operationId: 'deleteDeployment',
    summary: 'Delete a deployment with its run records: its sessions stay',
    response: z.object({ id: idSchema('deployment'), type: z.literal('deployment_deleted') }),
    errors: ['not_found'],
  }),
};
