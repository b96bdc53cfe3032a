// Deployments and the records of their runs.
import type { Budget } from '@capstan/schema/budgets';
import type { MissedRuns, PausedReason } from '@capstan/schema/deployments';
import type { DeploymentEvent } from '@capstan/schema/events/user-events';
import type { Metadata } from '@capstan/schema/metadata';
import type { ResourceConfig } from '@capstan/schema/resources';
import type { RunError } from '@capstan/schema/run-errors';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export interface KeptResource {
  config: ResourceConfig;
  /** Sealed for the deployment and its place in the list. */
  token: string | null;
}

export const deployments = sqliteTable(
  'deployments',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    name: text().notNull(),
    description: text(),
    agentId: text('agent_id').notNull(),
    agentVersion: integer('agent_version').notNull(),
    environmentId: text('environment_id').notNull(),
    initialEvents: text('initial_events', { mode: 'json' }).$type<DeploymentEvent[]>().notNull(),
    resources: text({ mode: 'json' }).$type<KeptResource[]>().notNull(),
    vaultIds: text('vault_ids', { mode: 'json' }).$type<string[]>().notNull(),
    budget: text({ mode: 'json' }).$type<Budget>(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    /** Of the schedule; null: there is none. */
    expression: text(),
    timezone: text(),
    missedRuns: text('missed_runs').$type<MissedRuns>().notNull(),
    /** Fire times up to and with it are over. */
    handledUpTo: integer('handled_up_to').notNull(),
    lastRunAt: integer('last_run_at'),
    /** Null: it is active. */
    pausedReason: text('paused_reason', { mode: 'json' }).$type<PausedReason>(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
  },
  (t) => [
    index('deployments_tenant').on(t.tenantId, t.id),
    index('deployments_agent').on(t.tenantId, t.agentId, sql`(archived_at IS NULL)`, t.id),
    index('deployments_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL`),
    index('deployments_status').on(
      t.tenantId,
      sql`(paused_reason IS NULL)`,
      sql`(archived_at IS NULL)`,
      t.id,
    ),
    index('deployments_scheduled')
      .on(t.tenantId, t.id)
      .where(sql`archived_at IS NULL AND expression IS NOT NULL`),
  ],
);

export const deploymentRuns = sqliteTable(
  'deployment_runs',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    deploymentId: text('deployment_id').notNull(),
    agentId: text('agent_id').notNull(),
    agentVersion: integer('agent_version').notNull(),
    /** The exact fire time; null: it was asked for. */
    scheduledAt: integer('scheduled_at'),
    sessionId: text('session_id'),
    error: text({ mode: 'json' }).$type<RunError>(),
    createdAt: integer('created_at').notNull(),
    /** When its session first came to rest; null: not yet. */
    endedAt: integer('ended_at'),
  },
  (t) => [
    index('deployment_runs_tenant').on(t.tenantId, t.id),
    index('deployment_runs_deployment').on(t.tenantId, t.deploymentId, t.id),
    index('deployment_runs_error').on(t.tenantId, sql`(error IS NULL)`, t.id),
    index('deployment_runs_trigger').on(t.tenantId, sql`(scheduled_at IS NULL)`, t.id),
    uniqueIndex('deployment_runs_fire')
      .on(t.deploymentId, t.scheduledAt)
      .where(sql`scheduled_at IS NOT NULL`),
    uniqueIndex('deployment_runs_session').on(t.sessionId).where(sql`session_id IS NOT NULL`),
  ],
);
