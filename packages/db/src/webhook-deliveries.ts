// Deliveries of one tenant's webhook events: what was sent, is to be sent, and is to be sent again.
import { ApiError } from '@capstan/schema/error';
import type { Page } from '@capstan/schema/page';
import type { DeliveryStatus, WebhookDelivery } from '@capstan/schema/webhook-deliveries';
import { KEPT_EVENT_TYPES, PING, type WebhookFilter, wantedAs } from '@capstan/schema/webhook-events';
import { MAX_REPLAYED } from '@capstan/schema/webhooks';
import { newId } from '@capstan/shared/ids';
import { and, desc, eq, type SQL, sql } from 'drizzle-orm';
import { eachOf, firstOfEach } from './arms.ts';
import { span } from './bounds.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import type { Scope } from './scope.ts';
import { outbox } from './tables/outbox.ts';
import { webhookDeliveries, webhookEndpoints } from './tables/webhooks.ts';
import { toTimestamp } from './timestamp.ts';

export interface DeliveryFilter {
  limit: number;
  page?: string | undefined;
  statuses?: DeliveryStatus[] | undefined;
}

export interface ReplayRange {
  /** When the events happened, epoch ms, both included. */
  from: number;
  to: number;
  /** Epoch ms. */
  now: number;
}

type DeliveryRow = typeof webhookDeliveries.$inferSelect;

/** Characters of an id that are its prefix and its time; what follows is random. */
const TIME_CHARS = 'whd_'.length + 10;

export class WebhookDeliveryStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  async list(endpointId: string, filter: DeliveryFilter): Promise<Page<WebhookDelivery>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: `deliveries of ${endpointId}`, tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { id, status } = webhookDeliveries;
    const terms =
      filter.statuses === undefined ? [] : [{ of: status, values: [...new Set(filter.statuses)] }];
    const each = eachOf(terms).map((way) => and(this.#of(endpointId), way, span(id, at)));
    const found = await db
      .select()
      .from(webhookDeliveries)
      .where(and(this.#of(endpointId), firstOfEach(db, { table: webhookDeliveries, id, at, each })))
      .orderBy(desc(id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toDelivery), next_page: page.next };
  }

  async retrieve(endpointId: string, id: string): Promise<WebhookDelivery> {
    return toDelivery(await this.#find(endpointId, id));
  }

  /** A new delivery of the same event. Refuses (`invalid_request`) a disabled endpoint, and an event that is swept. */
  async replay(endpointId: string, id: string, now: number): Promise<WebhookDelivery> {
    const { db, tenantId } = this.#scope;
    await this.#requireEnabled(endpointId);
    const { eventId, type } = await this.#find(endpointId, id);
    const kept = and(eq(outbox.tenantId, tenantId), eq(outbox.id, eventId));
    if ((await db.$count(outbox, kept)) === 0) {
      throw new ApiError('invalid_request', `delivery_id: ${eventId} happened too long ago to be sent again`);
    }
    const row = this.#fresh({ endpointId, eventId, type, now });
    await db.insert(webhookDeliveries).values(row);
    return toDelivery(row);
  }

  /**
   * New deliveries of what happened then, but of what is still on its way; resolves with how many. Refuses
   * (`invalid_request`) a disabled endpoint, and more than MAX_REPLAYED.
   */
  async replayRange(endpointId: string, range: ReplayRange): Promise<number> {
    const { db } = this.#scope;
    const enabledEvents = await this.#requireEnabled(endpointId);
    const chosen = this.#chosen(endpointId, { enabledEvents, range });
    const [counted] = await db.select({ total: sql<number>`count(*)` }).from(sql`(SELECT 1 ${chosen})`);
    const total = counted?.total ?? 0;
    if (total > MAX_REPLAYED) {
      const hint = `at most ${MAX_REPLAYED} are sent again at once: choose a shorter stretch`;
      throw new ApiError('invalid_request', `created_at: ${total} events happened then; ${hint}`);
    }
    const prefix = newId('webhookDelivery', range.now).slice(0, TIME_CHARS);
    // In the order of the table's columns.
    const rows = sql`SELECT ${prefix} || lower(hex(randomblob(7))), ${this.#scope.tenantId}, ${endpointId}, o.id,
      wanted.value, 'pending', 1, '[]', ${range.now}, ${range.now} ${chosen}`;
    const made = await db.insert(webhookDeliveries).select(rows).returning({ id: webhookDeliveries.id });
    return made.length;
  }

  /** An event for this endpoint alone. Refuses (`invalid_request`) a disabled endpoint. */
  async ping(endpointId: string, now: number): Promise<WebhookDelivery> {
    const { db, tenantId } = this.#scope;
    await this.#requireEnabled(endpointId);
    const eventId = newId('webhookEvent', now);
    const subject = { id: endpointId };
    const times = { createdAt: now, sharedOutAt: now };
    const event: typeof outbox.$inferInsert = { id: eventId, tenantId, type: PING, subject, ...times };
    const row = { ...this.#fresh({ endpointId, eventId, type: PING, now }), replay: false };
    await db.batch([db.insert(outbox).values(event), db.insert(webhookDeliveries).values(row)]);
    return toDelivery(row);
  }

  /** The events of that time that the endpoint wants, each beside the name that it wants it under. */
  #chosen(
    endpointId: string,
    { enabledEvents, range }: { enabledEvents: WebhookFilter[]; range: ReplayRange },
  ): SQL {
    const { tenantId } = this.#scope;
    const wanted = KEPT_EVENT_TYPES.flatMap((type) => {
      const name = wantedAs(enabledEvents, type);
      return name === null ? [] : [[type, name] as const];
    });
    return sql`FROM ${outbox} AS o JOIN json_each(${JSON.stringify(Object.fromEntries(wanted))}) AS wanted ON wanted.key = o.type
      WHERE o.tenant_id = ${tenantId} AND o.created_at BETWEEN ${range.from} AND ${range.to} AND NOT EXISTS (
        SELECT 1 FROM webhook_deliveries AS d
        WHERE d.tenant_id = ${tenantId} AND d.endpoint_id = ${endpointId} AND d.event_id = o.id AND d.status = 'pending')`;
  }

  #fresh({
    now,
    ...what
  }: Pick<DeliveryRow, 'endpointId' | 'eventId' | 'type'> & { now: number }): DeliveryRow {
    const { tenantId } = this.#scope;
    const state = { status: 'pending' as const, replay: true, attempts: [], dueAt: now, createdAt: now };
    return { id: newId('webhookDelivery', now), tenantId, ...what, ...state };
  }

  async #requireEnabled(endpointId: string): Promise<WebhookFilter[]> {
    const { db, tenantId } = this.#scope;
    const [row] = await db
      .select({ state: webhookEndpoints.state, enabledEvents: webhookEndpoints.enabledEvents })
      .from(webhookEndpoints)
      .where(and(eq(webhookEndpoints.tenantId, tenantId), eq(webhookEndpoints.id, endpointId)));
    if (row === undefined) throw new ApiError('not_found', `No webhook endpoint ${endpointId}`);
    if (row.state === 'enabled') return row.enabledEvents;
    throw new ApiError('invalid_request', `${endpointId} is disabled: set its state to "enabled" first`);
  }

  async #find(endpointId: string, id: string): Promise<DeliveryRow> {
    const { db } = this.#scope;
    const [row] = await db
      .select()
      .from(webhookDeliveries)
      .where(and(this.#of(endpointId), eq(webhookDeliveries.id, id)));
    if (row) return row;
    throw new ApiError('not_found', `No delivery ${id} to ${endpointId}`);
  }

  #of(endpointId: string) {
    const { tenantId } = this.#scope;
    return and(eq(webhookDeliveries.tenantId, tenantId), eq(webhookDeliveries.endpointId, endpointId));
  }
}

function toDelivery(row: DeliveryRow): WebhookDelivery {
  return {
    id: row.id,
    type: 'webhook_delivery',
    webhook_endpoint_id: row.endpointId,
    event_id: row.eventId,
    event_type: row.type,
    status: row.status,
    replay: row.replay,
    attempts: row.attempts,
    next_attempt_at: row.dueAt === null ? null : toTimestamp(row.dueAt),
    created_at: toTimestamp(row.createdAt),
  };
}
