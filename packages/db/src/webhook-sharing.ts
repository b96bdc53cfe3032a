// From the outbox to the endpoints: a delivery for each endpoint that wants an event. Of all tenants.
// 1. An event is shared out in one transaction with the mark that it is: once, whatever dies.
// 2. An endpoint gets what happens while it is enabled, and nothing of before.
import { wantedAs } from '@capstan/schema/webhook-events';
import { newId } from '@capstan/shared/ids';
import { and, asc, eq, isNotNull, isNull, lt, lte, type SQL, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { outbox } from './tables/outbox.ts';
import { webhookDeliveries, webhookEndpoints } from './tables/webhooks.ts';

export interface EndpointAddress {
  tenantId: string;
  endpointId: string;
}

/** For how long events and deliveries are kept. */
export const KEPT_DAYS = 30;

const DAY_MS = 86_400_000;
const SHARED_AT_ONCE = 200;
const SWEPT_AT_ONCE = 1_000;
const MOST_ROUNDS = 20;

/** Shares out the oldest events that are owed; resolves with how many they were, and whose turn it is. `now` is epoch ms. */
export async function shareOut(
  db: Database,
  now: number,
): Promise<{ events: number; addresses: EndpointAddress[] }> {
  const events = await db
    .select()
    .from(outbox)
    .where(isNull(outbox.sharedOutAt))
    .orderBy(asc(outbox.createdAt), asc(outbox.id))
    .limit(SHARED_AT_ONCE);
  if (events.length === 0) return { events: 0, addresses: [] };
  const tenants = JSON.stringify([...new Set(events.map(({ tenantId }) => tenantId))]);
  const endpoints = await db
    .select()
    .from(webhookEndpoints)
    .where(
      and(
        eq(webhookEndpoints.state, 'enabled'),
        sql`${webhookEndpoints.tenantId} IN (SELECT value FROM json_each(${tenants}))`,
      ),
    );
  const deliveries = events.flatMap((event) =>
    endpoints.flatMap((endpoint) => {
      if (endpoint.tenantId !== event.tenantId || event.createdAt < endpoint.enabledAt) return [];
      const type = wantedAs(endpoint.enabledEvents, event.type);
      if (type === null) return [];
      const { tenantId, id: endpointId } = endpoint;
      return [{ id: newId('webhookDelivery', now), tenantId, endpointId, eventId: event.id, type }];
    }),
  );
  const shared = JSON.stringify(events.map(({ id }) => id));
  await db.batch([
    insertDeliveries(db, deliveries, now),
    db
      .update(outbox)
      .set({ sharedOutAt: now })
      .where(sql`${outbox.id} IN (SELECT value FROM json_each(${shared}))`),
  ]);
  return { events: events.length, addresses: distinct(deliveries) };
}

/** Endpoints that something is due to since `before`, epoch ms: nobody seems to be at it. */
export function lateEndpoints(db: Database, before: number): Promise<EndpointAddress[]> {
  const { tenantId, endpointId, dueAt } = webhookDeliveries;
  return db
    .selectDistinct({ tenantId, endpointId })
    .from(webhookDeliveries)
    .where(and(isNotNull(dueAt), lte(dueAt, before)))
    .limit(SHARED_AT_ONCE);
}

export async function hasEnabledEndpoints(db: Database): Promise<boolean> {
  const [found] = await db
    .select({ id: webhookEndpoints.id })
    .from(webhookEndpoints)
    .where(sql`state = 'enabled'`)
    .limit(1);
  return found !== undefined;
}

/** Removes what is older than it is kept, but no event that is still to be delivered. Resolves with how many rows. */
export async function sweepWebhooks(db: Database, now: number): Promise<number> {
  const before = now - KEPT_DAYS * DAY_MS;
  const over = and(lt(webhookDeliveries.createdAt, before), isNull(webhookDeliveries.dueAt));
  const waiting = sql`SELECT 1 FROM webhook_deliveries AS d WHERE d.event_id = outbox.id`;
  const old = and(lt(outbox.createdAt, before), sql`NOT EXISTS (${waiting})`);
  let swept = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const [deliveries, events] = await db.batch([
      db.delete(webhookDeliveries).where(some(webhookDeliveries.id, sql`webhook_deliveries`, over)),
      db.delete(outbox).where(some(outbox.id, sql`outbox`, old)),
    ]);
    const removed = deliveries.meta.changes + events.meta.changes;
    swept += removed;
    if (removed === 0) break;
  }
  return swept;
}

function some(
  id: SQL | typeof outbox.id | typeof webhookDeliveries.id,
  table: SQL,
  where: SQL | undefined,
): SQL {
  return sql`${id} IN (SELECT id FROM ${table} WHERE ${where} LIMIT ${SWEPT_AT_ONCE})`;
}

type Fresh = EndpointAddress & { id: string; eventId: string; type: string };

/** None to an endpoint that has gone since. In the order of the table's columns. */
function insertDeliveries(db: Database, fresh: readonly Fresh[], now: number) {
  const value = (name: keyof Fresh) => sql.raw(`value ->> '$.${name}'`);
  const rows = sql`SELECT ${value('id')}, ${value('tenantId')}, ${value('endpointId')}, ${value('eventId')},
      ${value('type')}, 'pending', 0, '[]', ${now}, ${now}
    FROM json_each(${JSON.stringify(fresh)})
    WHERE EXISTS (SELECT 1 FROM webhook_endpoints AS e WHERE e.id = ${value('endpointId')} AND e.state = 'enabled')`;
  return db.insert(webhookDeliveries).select(rows).onConflictDoNothing();
}

function distinct(deliveries: readonly EndpointAddress[]): EndpointAddress[] {
  const byId = new Map(deliveries.map(({ tenantId, endpointId }) => [endpointId, { tenantId, endpointId }]));
  return [...byId.values()];
}
