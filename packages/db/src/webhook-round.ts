// One endpoint's deliveries, as whoever makes them needs them.
import type { DeliveryAttempt, DeliveryStatus } from '@capstan/schema/webhook-deliveries';
import type { WebhookSubject } from '@capstan/schema/webhook-events';
import { and, asc, eq, lte, min, sql } from 'drizzle-orm';
import type { Scope } from './scope.ts';
import { outbox } from './tables/outbox.ts';
import { webhookDeliveries, webhookEndpoints } from './tables/webhooks.ts';

/** Where to, and signed with what. Instants are epoch ms. */
export interface Target {
  url: string;
  /** Sealed; the one before is null when there is none. */
  secret: string;
  previousSecret: string | null;
  previousUntil: number | null;
  failingSince: number | null;
}

export interface DueDelivery {
  id: string;
  eventId: string;
  type: string;
  subject: WebhookSubject;
  /** When the event happened, epoch ms. */
  happenedAt: number;
  attempts: DeliveryAttempt[];
}

/** How an attempt has left a delivery. */
export interface Attempted {
  attempts: DeliveryAttempt[];
  status: DeliveryStatus;
  /** Epoch ms; null: it is over. */
  dueAt: number | null;
  /** Since when every attempt at the endpoint has failed, epoch ms; null: this one has not. */
  failingSince: number | null;
}

export class WebhookRound {
  #scope: Scope;
  #endpointId: string;

  constructor(scope: Scope, endpointId: string) {
    this.#scope = scope;
    this.#endpointId = endpointId;
  }

  /** Null: it is disabled. Undefined: there is none. */
  async target(): Promise<Target | null | undefined> {
    const { url, secret, previousSecret, previousUntil, failingSince, state } = webhookEndpoints;
    const [row] = await this.#scope.db
      .select({ url, secret, previousSecret, previousUntil, failingSince, state })
      .from(webhookEndpoints)
      .where(this.#endpoint());
    return row?.state === 'disabled' ? null : row;
  }

  /** Those that have waited longest first. */
  async due(now: number, limit: number): Promise<DueDelivery[]> {
    const { id, eventId, type, attempts, dueAt } = webhookDeliveries;
    return await this.#scope.db
      .select({ id, eventId, type, attempts, subject: outbox.subject, happenedAt: outbox.createdAt })
      .from(webhookDeliveries)
      .innerJoin(outbox, and(eq(outbox.id, eventId), eq(outbox.tenantId, this.#scope.tenantId)))
      .where(and(this.#deliveries(), lte(dueAt, now)))
      .orderBy(asc(dueAt))
      .limit(limit);
  }

  /** When the next one is due, epoch ms; null: none is. */
  async nextDue(): Promise<number | null> {
    const [row] = await this.#scope.db
      .select({ at: min(webhookDeliveries.dueAt) })
      .from(webhookDeliveries)
      .where(this.#deliveries());
    return row?.at ?? null;
  }

  /** A delivery that was dropped meanwhile stays so. */
  async record(id: string, { failingSince, ...attempted }: Attempted): Promise<void> {
    const { db } = this.#scope;
    const first = sql`coalesce(${webhookEndpoints.failingSince}, ${failingSince})`;
    await db.batch([
      db
        .update(webhookDeliveries)
        .set(attempted)
        .where(and(this.#deliveries(), eq(webhookDeliveries.id, id))),
      db
        .update(webhookEndpoints)
        .set({ failingSince: failingSince === null ? null : first })
        .where(this.#endpoint()),
    ]);
  }

  /** What is still to be delivered is dropped. */
  async disable(reason: string, now: number): Promise<void> {
    const { db } = this.#scope;
    await db.batch([
      db
        .update(webhookEndpoints)
        .set({ state: 'disabled', disabledReason: reason, updatedAt: now })
        .where(and(this.#endpoint(), eq(webhookEndpoints.state, 'enabled'))),
      this.#dropping(),
    ]);
  }

  async drop(): Promise<void> {
    await this.#dropping();
  }

  #dropping() {
    return this.#scope.db
      .update(webhookDeliveries)
      .set({ status: 'dropped', dueAt: null })
      .where(this.#deliveries());
  }

  #endpoint() {
    const { tenantId } = this.#scope;
    return and(eq(webhookEndpoints.tenantId, tenantId), eq(webhookEndpoints.id, this.#endpointId));
  }

  /** Those that are not over. */
  #deliveries() {
    return and(
      eq(webhookDeliveries.tenantId, this.#scope.tenantId),
      eq(webhookDeliveries.endpointId, this.#endpointId),
      sql`${webhookDeliveries.dueAt} IS NOT NULL`,
    );
  }
}
