// The runs of a tenant's deployments, each a record that never changes.
// 1. A run and its session are written together: there is no run without its session, nor such a session without its run.
// 2. At most one run per deployment and fire time: the deployment's `handledUpTo` is before it, and moves with the record.

import type { DeploymentRun } from '@capstan/schema/deployment-runs';
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { CreatedAtBounds, Page } from '@capstan/schema/page';
import { isPausing, type RunError } from '@capstan/schema/run-errors';
import { and, desc, eq, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm';
import { eachOf, narrowed } from './arms.ts';
import { span } from './bounds.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { announce, announceFrom, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { deploymentRuns, deployments } from './tables/deployments.ts';
import { sessions } from './tables/sessions.ts';
import { toTimestamp } from './timestamp.ts';
import { valuesOf } from './values.ts';

type RunRow = typeof deploymentRuns.$inferSelect;

export interface NewRun {
  id: string;
  deploymentId: string;
  agent: { id: string; version: number };
  /** The exact fire time, epoch ms; null: it was asked for. */
  scheduledAt: number | null;
  /** Epoch ms. */
  now: number;
}

export interface RunFilter {
  limit: number;
  page?: string | undefined;
  deploymentId?: string | undefined;
  hasError?: boolean | undefined;
  triggerType?: 'schedule' | 'manual' | undefined;
  created: CreatedAtBounds;
}

export class DeploymentRunStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  async retrieve(id: string): Promise<DeploymentRun> {
    const { db, tenantId } = this.#scope;
    const named = and(eq(deploymentRuns.tenantId, tenantId), eq(deploymentRuns.id, id));
    const [row] = await db.select().from(deploymentRuns).where(named);
    if (row) return toRun(row);
    throw new ApiError('not_found', `No deployment run ${id}`);
  }

  /**
   * Records a run that could not begin; one that fired and met what later ones would meet too pauses its deployment. Null:
   * the deployment may no longer run this. With a claim, a receipt is kept.
   */
  async fail(run: NewRun, error: RunError, claim?: Claim): Promise<DeploymentRun | null> {
    const { db, tenantId } = this.#scope;
    const { id, now, deploymentId, scheduledAt } = run;
    const row = toRow(tenantId, run, { error });
    const made = toRun(row);
    const recorded = exists(deploymentRuns, eq(deploymentRuns.id, id));
    const pauses = scheduledAt !== null && isPausing(error.type) ? error.type : null;
    const paused = and(eq(deployments.id, deploymentId), isNull(deployments.pausedReason), recorded);
    const [inserted] = await db.batch([
      db
        .insert(deploymentRuns)
        .select(sql`SELECT ${valuesOf(deploymentRuns, row)} WHERE ${mayRun(this.#scope, run)}`)
        .returning({ id: deploymentRuns.id }),
      ...advance(this.#scope, run, { started: false }),
      ...(pauses === null
        ? []
        : [
            ...announce(
              this.#scope,
              { type: 'deployment.paused', id: deploymentId, now },
              exists(deployments, paused),
            ),
            db
              .update(deployments)
              .set({ pausedReason: { type: 'error', error: { type: pauses } }, updatedAt: now })
              .where(and(eq(deployments.tenantId, tenantId), paused)),
          ]),
      ...(scheduledAt === null
        ? []
        : announce(this.#scope, { type: 'deployment_run.failed', id, now }, recorded)),
      ...receiptOf(this.#scope, { run, made, claim }),
    ]);
    return inserted.length === 0 ? null : made;
  }

  /** Newest first. */
  async list(filter: RunFilter): Promise<Page<DeploymentRun>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'deployment_runs', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { id } = deploymentRuns;
    const found = await db
      .select()
      .from(deploymentRuns)
      .where(
        and(
          eq(deploymentRuns.tenantId, tenantId),
          asked(filter),
          span(id, at, { kind: 'deploymentRun', bounds: filter.created }),
        ),
      )
      .orderBy(desc(id))
      .limit(at.take);
    const { rows, next } = toPage(listing, at, found);
    return { data: rows.map(toRun), next_page: next };
  }
}

/** The first of these that is given has an index that leads to its runs; the others narrow them. */
function asked({ deploymentId, hasError, triggerType }: RunFilter): SQL | undefined {
  const { error, scheduledAt } = deploymentRuns;
  const [first, ...others] = [
    ...(deploymentId === undefined ? [] : [{ of: deploymentRuns.deploymentId, values: [deploymentId] }]),
    ...(hasError === undefined ? [] : [{ of: sql`(${error} IS NULL)`, values: [hasError ? 0 : 1] }]),
    ...(triggerType === undefined
      ? []
      : [{ of: sql`(${scheduledAt} IS NULL)`, values: [triggerType === 'manual' ? 1 : 0] }]),
  ];
  return first && and(...eachOf([first]), narrowed(others));
}

/** What has to be true of a deployment for one of its runs to begin. */
export function mayRun({ tenantId }: Scope, { deploymentId, scheduledAt }: NewRun): SQL {
  return exists(
    deployments,
    and(
      eq(deployments.tenantId, tenantId),
      eq(deployments.id, deploymentId),
      isNull(deployments.archivedAt),
      ...(scheduledAt === null
        ? []
        : [isNull(deployments.pausedReason), lt(deployments.handledUpTo, scheduledAt)]),
    ),
  );
}

interface Begun {
  run: NewRun;
  sessionId: string;
  claim: Claim | undefined;
}

/** The statements that record a run, to be put behind the one that writes its session: without that, they write nothing. */
export function recordRun(scope: Scope, { run, sessionId, claim }: Begun) {
  const row = toRow(scope.tenantId, run, { sessionId });
  const begun = exists(sessions, eq(sessions.id, sessionId));
  return [
    scope.db.insert(deploymentRuns).select(sql`SELECT ${valuesOf(deploymentRuns, row)} WHERE ${begun}`),
    ...advance(scope, run, { started: true }),
    ...(run.scheduledAt === null
      ? []
      : announce(scope, { type: 'deployment_run.started', id: run.id, now: run.now }, begun)),
    ...receiptOf(scope, { run, made: toRun(row), claim }),
  ];
}

/** The run as it is shown once its session is written. */
export function showRun({ tenantId }: Scope, run: NewRun, sessionId: string): DeploymentRun {
  return toRun(toRow(tenantId, run, { sessionId }));
}

/** The statements that end the run of a session, if it has one that goes on. Of those that were scheduled its end is told. */
export function endRun(
  scope: Scope,
  { sessionId, how, now }: { sessionId: string; how: 'succeeded' | 'failed'; now: number },
) {
  const { db, tenantId } = scope;
  const open = and(
    eq(deploymentRuns.tenantId, tenantId),
    eq(deploymentRuns.sessionId, sessionId),
    isNull(deploymentRuns.endedAt),
  );
  const rows = sql`FROM ${deploymentRuns} WHERE ${and(open, isNotNull(deploymentRuns.scheduledAt))}`;
  return [
    announceFrom(scope, { type: `deployment_run.${how}`, now }, { id: sql`${deploymentRuns.id}`, rows }),
    db.update(deploymentRuns).set({ endedAt: now }).where(open),
  ];
}

/** Of a run that is recorded, the fire time is over; nothing of one that was asked for. */
function advance({ db, tenantId }: Scope, run: NewRun, { started }: { started: boolean }) {
  const { id, deploymentId, scheduledAt, now } = run;
  if (scheduledAt === null) return [];
  const own = and(eq(deployments.tenantId, tenantId), eq(deployments.id, deploymentId));
  return [
    db
      .update(deployments)
      .set({ handledUpTo: scheduledAt, ...(started && { lastRunAt: now }) })
      .where(and(own, exists(deploymentRuns, eq(deploymentRuns.id, id)))),
  ];
}

interface Recorded {
  run: NewRun;
  made: DeploymentRun;
  claim: Claim | undefined;
}

function receiptOf(scope: Scope, { run: { id, now }, made, claim }: Recorded) {
  const from = sql`FROM ${deploymentRuns} WHERE ${eq(deploymentRuns.id, id)}`;
  return keepReceipt(scope, claim, { id, reply: JSON.stringify(made), from, now });
}

function toRow(
  tenantId: string,
  { id, deploymentId, agent, scheduledAt, now }: NewRun,
  { sessionId = null, error = null }: { sessionId?: string | null; error?: RunError | null },
): RunRow {
  return {
    id,
    tenantId,
    deploymentId,
    agentId: agent.id,
    agentVersion: agent.version,
    scheduledAt,
    sessionId,
    error,
    createdAt: now,
    endedAt: null,
  };
}

function toRun(row: RunRow): DeploymentRun {
  const { scheduledAt } = row;
  return {
    id: row.id,
    type: 'deployment_run',
    deployment_id: row.deploymentId,
    agent: { type: 'agent', id: row.agentId, version: row.agentVersion },
    trigger_context:
      scheduledAt === null
        ? { type: 'manual' }
        : { type: 'schedule', scheduled_at: toTimestamp(scheduledAt) },
    session_id: row.sessionId,
    error: row.error,
    created_at: toTimestamp(row.createdAt),
  };
}
