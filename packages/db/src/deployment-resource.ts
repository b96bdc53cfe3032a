// A deployment's row as the API shows it. What its schedule will do is reckoned from the row, and stands nowhere.
import type { Deployment } from '@capstan/schema/deployments';
import { fireTimesOf, type Schedule, startOf } from '@capstan/shared/schedule';
import type { deployments } from './tables/deployments.ts';
import { toTimestamp } from './timestamp.ts';

export type DeploymentRow = typeof deployments.$inferSelect;

const SHOWN_RUNS = 5;

/** Whose secret the token of a deployment's resource is: what it is sealed for. */
export function resourceTokenIdentity(tenantId: string, deploymentId: string, index: number): string {
  return `${tenantId}/deployments/${deploymentId}/resources/${index}/token`;
}

/** Null: it runs only when asked. */
export function scheduleOf({ id, expression, timezone }: DeploymentRow): Schedule | null {
  if (expression === null || timezone === null) return null;
  return { deploymentId: id, expression, timezone };
}

/** `now` (epoch ms) dates the upcoming runs. */
export function toDeployment(row: DeploymentRow, now: number): Deployment {
  const { fires, starts } = upcoming(row, now);
  const { expression, timezone, lastRunAt, archivedAt } = row;
  const pausedReason = archivedAt === null ? row.pausedReason : null;
  return {
    id: row.id,
    type: 'deployment',
    name: row.name,
    description: row.description,
    agent: { type: 'agent', id: row.agentId, version: row.agentVersion },
    environment_id: row.environmentId,
    initial_events: row.initialEvents,
    resources: row.resources.map(({ config }) => config),
    vault_ids: row.vaultIds,
    budget: row.budget,
    schedule:
      expression === null || timezone === null
        ? null
        : {
            type: 'cron',
            expression,
            timezone,
            last_run_at: lastRunAt === null ? null : toTimestamp(lastRunAt),
            upcoming_runs_at: fires.map(toTimestamp),
          },
    status: pausedReason === null ? 'active' : 'paused',
    paused_reason: pausedReason,
    metadata: row.metadata,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
    archived_at: archivedAt === null ? null : toTimestamp(archivedAt),
    capstan: { missed_runs: row.missedRuns, upcoming_starts_at: starts.map(toTimestamp) },
  };
}

/** A paused one shows what it would do if it went on. */
function upcoming(row: DeploymentRow, now: number): { fires: number[]; starts: number[] } {
  const schedule = scheduleOf(row);
  if (schedule === null || row.archivedAt !== null) return { fires: [], starts: [] };
  const times = fireTimesOf(schedule);
  const fires = times.after(now, SHOWN_RUNS);
  return { fires, starts: fires.map((fire) => startOf(schedule, times, fire)) };
}
