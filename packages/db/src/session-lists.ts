// Lists of sessions. One filter leads: its index gives the page in order, and what else is asked for narrows that.
import type { CreatedAtBounds } from '@capstan/schema/page';
import type { Session, SessionStatus } from '@capstan/schema/sessions';
import { and, asc, desc, eq, isNull, lt, type SQL, sql } from 'drizzle-orm';
import { eachOf, firstOfEach, narrowed, type Term } from './arms.ts';
import { type Made, span } from './bounds.ts';
import { type Listing, type Seek, seek, toShortPage } from './cursor.ts';
import { fitting, MOST_BYTES } from './fitting.ts';
import { sizeOfResources } from './resource-rows.ts';
import type { Scope } from './scope.ts';
import { shownColumns, toSession } from './session-resource.ts';
import { sessionResources } from './tables/resources.ts';
import { sessions } from './tables/sessions.ts';

export interface SessionFilter {
  limit: number;
  page?: string | undefined;
  order: 'asc' | 'desc';
  includeArchived: boolean;
  agentId?: string | undefined;
  /** Of that agent: counts for nothing without it. */
  agentVersion?: number | undefined;
  created: CreatedAtBounds;
  statuses?: SessionStatus[] | undefined;
  deploymentId?: string | undefined;
  memoryStoreId?: string | undefined;
}

export interface SessionPage {
  data: Session[];
  next_page: string | null;
  prev_page: string | null;
}

/** `now` (epoch ms) dates the running totals. A page of large sessions ends before the limit. */
export async function listSessions(scope: Scope, filter: SessionFilter, now: number): Promise<SessionPage> {
  const { db, tenantId } = scope;
  const listing: Listing = { list: 'sessions', tenantId, ...filter };
  const at = seek(listing);
  const { id, agent, agentTools, outcomeEvaluations } = sessions;
  const size = sql<number>`octet_length(${agent}) + coalesce(octet_length(${agentTools}), 0)
    + octet_length(${outcomeEvaluations}) + ${sizeOfResources}`;
  const page = fitting(db, { table: sessions, id, size, where: matching(scope, filter, at), at });
  const found = await db
    .select({ id, row: shownColumns, matched: page.matched })
    .from(page)
    .innerJoin(sessions, eq(id, page.id))
    .where(lt(page.before, MOST_BYTES))
    .orderBy(at.order === 'desc' ? desc(id) : asc(id));
  const { rows, next, prev } = toShortPage(listing, { at, matched: found[0]?.matched ?? 0 }, found);
  return { data: rows.map(({ row }) => toSession(row, row, now)), next_page: next, prev_page: prev };
}

function matching(scope: Scope, filter: SessionFilter, at: Seek): SQL | undefined {
  const { id, tenantId, archivedAt } = sessions;
  const own = eq(tenantId, scope.tenantId);
  if (filter.memoryStoreId !== undefined) return and(own, sql`${id} IN (${firstOfStore(scope, filter, at)})`);
  const [first, ...others] = termsOf(filter);
  const rest = and(narrowed(others), span(id, at, madeOf(filter)));
  if (first === undefined) return and(own, filter.includeArchived ? undefined : isNull(archivedAt), rest);
  const each = eachOf([first, isOpen(filter)]).map((way) => and(own, way, rest));
  return and(own, firstOfEach(scope.db, { table: sessions, id, at, each }));
}

/** In the order in which they lead: each has an index. */
function termsOf({ deploymentId, agentId, agentVersion, statuses }: SessionFilter): Term[] {
  return [
    ...(deploymentId === undefined ? [] : [{ of: sessions.deploymentId, values: [deploymentId] }]),
    ...(agentId === undefined ? [] : [ofAgent(agentId, agentVersion)]),
    ...(statuses === undefined ? [] : [{ of: sessions.status, values: [...new Set(statuses)] }]),
  ];
}

/** A version is looked for by one text, or the database might be content to find the agent's sessions. */
function ofAgent(agentId: string, version: number | undefined): Term {
  if (version === undefined) return { of: sessions.agentId, values: [agentId] };
  return {
    of: sql`(${sessions.agentId} || '@' || (${sessions.agent} ->> '$.version'))`,
    values: [`${agentId}@${version}`],
  };
}

function isOpen({ includeArchived }: SessionFilter): Term {
  return { of: sql`(${sessions.archivedAt} IS NULL)`, values: includeArchived ? [1, 0] : [1] };
}

function madeOf({ created: bounds }: SessionFilter): Made {
  return { kind: 'session', bounds };
}

/** Ids of a memory store's sessions: looked up in the order of its attachments. */
function firstOfStore({ db, tenantId }: Scope, filter: SessionFilter, at: Seek) {
  const { sessionId, memoryStoreId } = sessionResources;
  return db
    .select({ sessionId })
    .from(sessionResources)
    .crossJoin(sessions)
    .where(
      and(
        eq(sessionResources.tenantId, tenantId),
        eq(memoryStoreId, filter.memoryStoreId ?? ''),
        span(sessionId, at, madeOf(filter)),
        eq(sessions.id, sessionId),
        narrowed([...termsOf(filter), isOpen(filter)]),
      ),
    )
    .orderBy(at.order === 'desc' ? desc(sessionId) : asc(sessionId))
    .limit(at.take);
}
