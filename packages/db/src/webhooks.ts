// Webhook endpoints of one tenant. Secrets come sealed, and leave as they came.
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { WebhookFilter } from '@capstan/schema/webhook-events';
import { MAX_ENDPOINTS, type WebhookEndpoint } from '@capstan/schema/webhooks';
import { and, asc, desc, eq, gt, lt, sql } from 'drizzle-orm';
import { insertWhen } from './conditional-insert.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { webhookDeliveries, webhookEndpoints } from './tables/webhooks.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewEndpoint {
  id: string;
  url: string;
  name: string;
  description: string;
  enabledEvents: WebhookFilter[];
  /** Sealed. */
  secret: string;
  /** Epoch ms. */
  now: number;
}

/** What is not given stays as it is. */
export interface EndpointChange {
  url?: string;
  name?: string;
  description?: string;
  enabledEvents?: WebhookFilter[];
  state?: WebhookEndpoint['state'];
}

export interface EndpointFilter {
  limit: number;
  order: 'asc' | 'desc';
  afterId?: string | undefined;
  beforeId?: string | undefined;
}

export interface EndpointPage {
  data: WebhookEndpoint[];
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
}

/** An endpoint, and its secret, sealed. */
export interface MadeEndpoint {
  endpoint: WebhookEndpoint;
  secret: string;
}

type EndpointRow = typeof webhookEndpoints.$inferSelect;

/** Whose secret it is: what it is sealed for. */
export function secretIdentity(tenantId: string, endpointId: string): string {
  return `${tenantId}/webhook_endpoints/${endpointId}/secret`;
}

export class WebhookStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Refuses (`invalid_request`) one too many. With a claim, a receipt is kept: a name that is taken refuses the whole. */
  async create(input: NewEndpoint, claim?: Claim): Promise<MadeEndpoint> {
    const { db, tenantId } = this.#scope;
    const { now, ...given } = input;
    const row: EndpointRow = {
      ...given,
      tenantId,
      state: 'enabled',
      disabledReason: '',
      previousSecret: null,
      previousUntil: null,
      enabledAt: now,
      failingSince: null,
      createdAt: now,
      updatedAt: now,
    };
    const made = { endpoint: toEndpoint(row), secret: row.secret };
    const from = sql`FROM ${webhookEndpoints} WHERE ${this.#own(row.id)}`;
    // The statement decides: requests that race cannot make one too many.
    const room = sql`(SELECT count(*) FROM webhook_endpoints AS e WHERE e.tenant_id = ${tenantId}) < ${MAX_ENDPOINTS}`;
    const [inserted] = await db.batch([
      insertWhen(db, webhookEndpoints, { row, when: room }).returning({ id: webhookEndpoints.id }),
      ...keepReceipt(this.#scope, claim, { id: row.id, reply: JSON.stringify(made), from, now }),
    ]);
    if (inserted.length > 0) return made;
    throw new ApiError('invalid_request', `at most ${MAX_ENDPOINTS} webhook endpoints: delete one first`);
  }

  async retrieve(id: string): Promise<WebhookEndpoint> {
    const { db } = this.#scope;
    const [row] = await db.select().from(webhookEndpoints).where(this.#own(id));
    return toEndpoint(there(row, id));
  }

  /** One that is disabled drops what is still to be sent to it. */
  async update(id: string, { state, ...change }: EndpointChange, now: number): Promise<WebhookEndpoint> {
    const { db } = this.#scope;
    const row = await this.retrieve(id);
    const enabled = state === 'enabled' && row.state === 'disabled';
    const put = db
      .update(webhookEndpoints)
      .set({
        ...change,
        ...(state !== undefined && { state, disabledReason: '' }),
        ...(enabled && { enabledAt: now, failingSince: null }),
        updatedAt: now,
      })
      .where(this.#own(id))
      .returning();
    const [[changed]] = await db.batch([put, ...(state === 'disabled' ? [this.#drop(id)] : [])]);
    return toEndpoint(there(changed, id));
  }

  /** The secret before goes on signing until `until`, epoch ms. */
  async replaceSecret(id: string, { secret, until, now }: { secret: string; until: number; now: number }) {
    const { db } = this.#scope;
    const [changed] = await db
      .update(webhookEndpoints)
      .set({ previousSecret: sql`secret`, previousUntil: until, secret, updatedAt: now })
      .where(this.#own(id))
      .returning({ id: webhookEndpoints.id });
    there(changed, id);
  }

  /** With its deliveries. `not_found` when it is deleted already. */
  async delete(id: string): Promise<void> {
    const { db, tenantId } = this.#scope;
    const sent = and(eq(webhookDeliveries.tenantId, tenantId), eq(webhookDeliveries.endpointId, id));
    const [[gone]] = await db.batch([
      db.delete(webhookEndpoints).where(this.#own(id)).returning({ id: webhookEndpoints.id }),
      db.delete(webhookDeliveries).where(sent),
    ]);
    there(gone, id);
  }

  async list({ limit, order, afterId, beforeId }: EndpointFilter): Promise<EndpointPage> {
    const { db, tenantId } = this.#scope;
    const { id } = webhookEndpoints;
    // A page before an id is read from there backwards, and turned round.
    const backwards = beforeId !== undefined;
    const descending = (order === 'desc') !== backwards;
    const edge = beforeId ?? afterId;
    const found = await db
      .select()
      .from(webhookEndpoints)
      .where(
        and(
          eq(webhookEndpoints.tenantId, tenantId),
          edge === undefined ? undefined : descending ? lt(id, edge) : gt(id, edge),
        ),
      )
      .orderBy(descending ? desc(id) : asc(id))
      .limit(limit + 1);
    const kept = found.slice(0, limit);
    const rows = backwards ? kept.reverse() : kept;
    return {
      data: rows.map(toEndpoint),
      has_more: found.length > limit,
      first_id: rows[0]?.id ?? null,
      last_id: rows.at(-1)?.id ?? null,
    };
  }

  #drop(id: string) {
    const { db, tenantId } = this.#scope;
    return db
      .update(webhookDeliveries)
      .set({ status: 'dropped', dueAt: null })
      .where(
        and(
          eq(webhookDeliveries.tenantId, tenantId),
          eq(webhookDeliveries.endpointId, id),
          eq(webhookDeliveries.status, 'pending'),
        ),
      );
  }

  #own(id: string) {
    return and(eq(webhookEndpoints.tenantId, this.#scope.tenantId), eq(webhookEndpoints.id, id));
  }
}

function there<Row>(row: Row | undefined, id: string): Row {
  if (row !== undefined) return row;
  throw new ApiError('not_found', `No webhook endpoint ${id}`);
}

function toEndpoint(row: EndpointRow): WebhookEndpoint {
  return {
    id: row.id,
    url: row.url,
    name: row.name,
    description: row.description,
    enabled_events: row.enabledEvents,
    state: row.state,
    disabled_reason: row.disabledReason,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
  };
}
