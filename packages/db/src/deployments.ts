// Deployments of one tenant.
// 1. An archived one never changes again; of changes that race each is made to what the one before left.
// 2. Fire times up to `handledUpTo` are over: it moves forward only, with the record of a run or when runs were missed,
//    and to now whenever a schedule begins or goes on.
import type { Budget } from '@capstan/schema/budgets';
import {
  type Deployment,
  MAX_SCHEDULED,
  type MissedRuns,
  type ScheduleParam,
} from '@capstan/schema/deployments';
import { ApiError } from '@capstan/schema/error';
import type { DeploymentEvent } from '@capstan/schema/events/user-events';
import type { Claim } from '@capstan/schema/idempotency';
import { type Metadata, type MetadataPatch, patchMetadata } from '@capstan/schema/metadata';
import type { CreatedAtBounds, Page } from '@capstan/schema/page';
import { and, desc, eq, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm';
import { isSame } from './agent-settings.ts';
import { eachOf, firstOfEach, narrowed, type Term } from './arms.ts';
import { span } from './bounds.ts';
import { UPDATE_ATTEMPTS } from './contention.ts';
import { type Listing, type Seek, seek, toShortPage } from './cursor.ts';
import { type DeploymentRow, toDeployment } from './deployment-resource.ts';
import { requireFit, sizeOf } from './fit.ts';
import { fitting, MOST_BYTES } from './fitting.ts';
import { announce, announceFrom, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { deploymentRuns, deployments, type KeptResource } from './tables/deployments.ts';
import { valuesOf } from './values.ts';

export interface DeploymentSettings {
  name: string;
  description: string | null;
  agent: { id: string; version: number };
  environmentId: string;
  initialEvents: DeploymentEvent[];
  resources: KeptResource[];
  vaultIds: string[];
  budget: Budget | null;
  schedule: ScheduleParam | null;
  missedRuns: MissedRuns;
}

export interface NewDeployment extends DeploymentSettings {
  id: string;
  metadata: Metadata;
  /** Epoch ms. */
  now: number;
}

/** What is absent stays. */
export type DeploymentChange = Partial<DeploymentSettings> & { metadata?: MetadataPatch };

export interface DeploymentFilter {
  limit: number;
  page?: string | undefined;
  agentId?: string | undefined;
  status?: Deployment['status'] | undefined;
  includeArchived: boolean;
  created: CreatedAtBounds;
}

interface Happening {
  type: 'deployment.updated' | 'deployment.paused' | 'deployment.unpaused';
  now: number;
}

type SettledColumns = Omit<DeploymentSettings, 'agent' | 'schedule'> &
  Pick<DeploymentRow, 'agentId' | 'agentVersion' | 'expression' | 'timezone'>;
type Columns = Omit<DeploymentRow, 'id' | 'tenantId'>;
/** The columns that change. */
type Revise = (row: DeploymentRow) => Partial<Columns>;

export class DeploymentStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Refuses (`invalid_request`) one schedule too many. With a claim, a receipt is kept. */
  async create(input: NewDeployment, claim?: Claim): Promise<Deployment> {
    const { now, metadata, ...settings } = input;
    const row: DeploymentRow = {
      ...toColumns(settings),
      id: input.id,
      tenantId: this.#scope.tenantId,
      metadata,
      handledUpTo: now,
      lastRunAt: null,
      pausedReason: null,
      createdAt: now,
      updatedAt: now,
      archivedAt: null,
    };
    requireKept(row);
    const { db } = this.#scope;
    const made = toDeployment(row, now);
    const { id } = row;
    const there = this.#own(id);
    const from = sql`FROM ${deployments} WHERE ${there}`;
    const room = row.expression === null ? sql`TRUE` : this.#hasRoom();
    const [inserted] = await db.batch([
      db
        .insert(deployments)
        .select(sql`SELECT ${valuesOf(deployments, row)} WHERE ${room}`)
        .returning({ id: deployments.id }),
      ...keepReceipt(this.#scope, claim, { id, reply: JSON.stringify(made), from, now }),
      ...announce(this.#scope, { type: 'deployment.created', id, now }, exists(deployments, there)),
    ]);
    if (inserted.length > 0) return made;
    await this.#requireRoom();
    throw new ApiError('unavailable', 'Another schedule was given up just now: try again', {
      retryAfterSeconds: 1,
    });
  }

  async retrieve(id: string, now: number): Promise<Deployment> {
    return toDeployment(await this.row(id), now);
  }

  /** Null: this tenant has no such deployment. */
  async find(id: string): Promise<DeploymentRow | null> {
    const [row] = await this.#scope.db.select().from(deployments).where(this.#own(id));
    return row ?? null;
  }

  /** Refuses (`not_found`) an unknown one. */
  async row(id: string): Promise<DeploymentRow> {
    const row = await this.find(id);
    if (row) return row;
    throw new ApiError('not_found', `No deployment ${id}`);
  }

  /** Refuses (`invalid_request`) an archived one, and one schedule too many. What changes nothing leaves it as it was. */
  update(id: string, { metadata, ...settings }: DeploymentChange, now: number): Promise<Deployment> {
    return this.#change(id, { type: 'deployment.updated', now }, (row) => {
      const columns = {
        ...toColumns(settings),
        ...(metadata && { metadata: patchMetadata(row.metadata, metadata) }),
      };
      const { expression, timezone } = { ...row, ...columns };
      const rescheduled = expression !== row.expression || timezone !== row.timezone;
      return { ...columns, ...(rescheduled && { handledUpTo: now }) };
    });
  }

  /** Pausing again changes nothing. */
  pause(id: string, now: number): Promise<Deployment> {
    return this.#change(id, { type: 'deployment.paused', now }, ({ pausedReason }) => ({
      pausedReason: pausedReason ?? { type: 'manual' },
    }));
  }

  /** What fell into the pause is not owed. */
  unpause(id: string, now: number): Promise<Deployment> {
    return this.#change(id, { type: 'deployment.unpaused', now }, ({ pausedReason }) =>
      pausedReason === null ? {} : { pausedReason: null, handledUpTo: now },
    );
  }

  /** Archiving again changes nothing. */
  async archive(id: string, now: number): Promise<Deployment> {
    const { db } = this.#scope;
    const open = and(this.#own(id), isNull(deployments.archivedAt));
    await db.batch([
      db.select({ id: deployments.id }).from(deployments).where(open),
      ...announce(this.#scope, { type: 'deployment.archived', id, now }, exists(deployments, open)),
      db.update(deployments).set({ archivedAt: now, updatedAt: now }).where(open),
    ]);
    return this.retrieve(id, now);
  }

  /** With the records of its runs; its sessions stay. `not_found` when it is deleted already. */
  async delete(id: string, now: number): Promise<void> {
    const { db, tenantId } = this.#scope;
    const there = exists(deployments, this.#own(id));
    const runs = and(eq(deploymentRuns.tenantId, tenantId), eq(deploymentRuns.deploymentId, id));
    const [[found]] = await db.batch([
      db.select({ id: deployments.id }).from(deployments).where(this.#own(id)),
      ...announce(this.#scope, { type: 'deployment.deleted', id, now }, there),
      db.delete(deploymentRuns).where(and(runs, there)),
      db.delete(deployments).where(this.#own(id)),
    ]);
    if (!found) throw new ApiError('not_found', `No deployment ${id}`);
  }

  /** These fire times are over without a run: `upTo` (epoch ms) is the last of them. */
  async pass(id: string, upTo: number): Promise<void> {
    await this.#scope.db
      .update(deployments)
      .set({ handledUpTo: upTo })
      .where(and(this.#own(id), lt(deployments.handledUpTo, upTo)));
  }

  /** Newest first. A page of large ones ends before the limit. `now` (epoch ms) dates the upcoming runs. */
  async list(filter: DeploymentFilter, now: number): Promise<Page<Deployment>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'deployments', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { id, initialEvents, resources } = deployments;
    const size = sql<number>`octet_length(${initialEvents}) + octet_length(${resources})`;
    const where = this.#matching(filter, at);
    const page = fitting(db, { table: deployments, id, size, where, at });
    const found = await db
      .select({ id, row: deployments, matched: page.matched })
      .from(page)
      .innerJoin(deployments, eq(id, page.id))
      .where(lt(page.before, MOST_BYTES))
      .orderBy(desc(id));
    const { rows, next } = toShortPage(listing, { at, matched: found[0]?.matched ?? 0 }, found);
    return { data: rows.map(({ row }) => toDeployment(row, now)), next_page: next };
  }

  #matching(filter: DeploymentFilter, at: Seek): SQL | undefined {
    const { db, tenantId } = this.#scope;
    const { id, agentId, archivedAt, pausedReason } = deployments;
    const own = eq(deployments.tenantId, tenantId);
    const place = span(id, at, { kind: 'deployment', bounds: filter.created });
    const { status } = filter;
    const active: Term[] =
      status === undefined
        ? []
        : [{ of: sql`(${pausedReason} IS NULL)`, values: [status === 'paused' ? 0 : 1] }];
    const open = { of: sql`(${archivedAt} IS NULL)`, values: filter.includeArchived ? [1, 0] : [1] };
    const agent: Term[] = filter.agentId === undefined ? [] : [{ of: agentId, values: [filter.agentId] }];
    const [first, ...others] = [...agent, ...active];
    if (first === undefined) return and(own, filter.includeArchived ? undefined : isNull(archivedAt), place);
    const each = eachOf([first, open]).map((way) => and(own, way, narrowed(others), place));
    return and(own, firstOfEach(db, { table: deployments, id, at, each }));
  }

  async #change(id: string, { type, now }: Happening, revise: Revise): Promise<Deployment> {
    const { db } = this.#scope;
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const row = await this.row(id);
      if (row.archivedAt !== null)
        throw new ApiError('invalid_request', `${id} is archived and cannot be changed`);
      const columns = revise(row);
      const next = { ...row, ...columns };
      if (isSame(next, row)) return toDeployment(row, now);
      requireKept(next);
      const begins = row.expression === null && next.expression !== null;
      // Later than the last change, so that no two of them have the same time.
      const updatedAt = Math.max(now, row.updatedAt + 1);
      const still = and(
        this.#own(id),
        eq(deployments.updatedAt, row.updatedAt),
        isNull(deployments.archivedAt),
        begins ? this.#hasRoom() : undefined,
      );
      const [[possible]] = await db.batch([
        db.select({ id: deployments.id }).from(deployments).where(still),
        ...announce(this.#scope, { type, id, now }, exists(deployments, still)),
        db
          .update(deployments)
          .set({ ...columns, updatedAt })
          .where(still),
      ]);
      if (possible) return toDeployment({ ...next, updatedAt }, now);
      if (begins) await this.#requireRoom();
    }
    throw new ApiError('unavailable', 'The deployment is being changed: try again', {
      retryAfterSeconds: 1,
    });
  }

  async #requireRoom(): Promise<void> {
    const [found] = await this.#scope.db
      .select({ room: sql<number>`${this.#hasRoom()}` })
      .from(sql`(SELECT 1)`);
    if (found?.room) return;
    throw new ApiError(
      'invalid_request',
      `schedule: ${MAX_SCHEDULED} deployments have one already; archive some, or take their schedules away`,
      { reason: 'too_many_schedules' },
    );
  }

  #hasRoom(): SQL {
    const { tenantId, archivedAt, expression } = deployments;
    const scheduled = and(eq(tenantId, this.#scope.tenantId), isNull(archivedAt), isNotNull(expression));
    return sql`(SELECT count(*) FROM ${deployments} WHERE ${scheduled}) < ${MAX_SCHEDULED}`;
  }

  #own(id: string) {
    return and(eq(deployments.tenantId, this.#scope.tenantId), eq(deployments.id, id));
  }
}

/** The statements that archive the deployments of an agent: part of the batch that archives the agent itself. */
export function archiveOfAgent(scope: Scope, agentId: string, now: number) {
  const { db, tenantId } = scope;
  const open = and(
    eq(deployments.tenantId, tenantId),
    eq(deployments.agentId, agentId),
    isNull(deployments.archivedAt),
  );
  const rows = sql`FROM ${deployments} WHERE ${open}`;
  return [
    announceFrom(scope, { type: 'deployment.archived', now }, { id: sql`${deployments.id}`, rows }),
    db.update(deployments).set({ archivedAt: now, updatedAt: now }).where(open),
  ];
}

function toColumns({ agent, schedule, ...settings }: DeploymentSettings): SettledColumns;
function toColumns(settings: Partial<DeploymentSettings>): Partial<SettledColumns>;
function toColumns({ agent, schedule, ...settings }: Partial<DeploymentSettings>): Partial<SettledColumns> {
  return {
    ...settings,
    ...(agent && { agentId: agent.id, agentVersion: agent.version }),
    ...(schedule !== undefined && {
      expression: schedule?.expression ?? null,
      timezone: schedule?.timezone ?? null,
    }),
  };
}

/** Refuses (`too_large`) what would not fit into a row. */
function requireKept({ initialEvents, resources }: Columns): void {
  requireFit(initialEvents, 'initial_events');
  requireFit(resources, 'resources', { what: 'initial_events', sizeBytes: sizeOf(initialEvents) });
}
