// Receipts: what a create was answered with, kept in the transaction that made it, so that a repetition gets the answer
// again and makes nothing.
// 1. A receipt with a key is unique. Of twins that race one transaction wins; the others write nothing and get its answer.
// 2. Where only the body names a request, several receipts may bear its name. A retry is answered with one of them only
//    when no other is in question: to make a thing twice is better than to give one thing to two callers.
import { type Claim, KEPT_MS, requireSameBody } from '@capstan/schema/idempotency';
import { and, eq, gt, gte, inArray, isNull, lt, lte, notExists, or, type SQL, sql } from 'drizzle-orm';
import type { Scope } from './scope.ts';
import { receipts } from './tables/receipts.ts';
import { sessions } from './tables/sessions.ts';

/** What was made, and the answer that tells of it. */
export interface Made {
  id: string;
  /** JSON. */
  reply: string | SQL<string>;
  /** Where the reply is read from, when it is not known before: without a row there, nothing is kept. */
  from?: SQL;
  /** Epoch ms. */
  now: number;
}

export interface Outcome<T> {
  reply: T;
  /** The request was a repetition: nothing was made. */
  replayed: boolean;
}

const SWEPT_AT_ONCE = 50;

export class ReceiptStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Makes what is claimed unless that was done before: then gives the answer of that time. `now` is epoch ms. */
  async once<T>(
    claim: Claim | undefined,
    now: number,
    create: (claim: Claim | undefined) => Promise<T>,
  ): Promise<Outcome<T>> {
    if (claim?.by === 'body' && claim.mayRepeat) {
      const earlier = await this.#find<T>(claim, now);
      if (earlier) return earlier;
    }
    try {
      return { reply: await create(claim), replayed: false };
    } catch (error) {
      // Refused by its receipt, or because the world has changed since it was made.
      const earlier = claim?.by === 'key' ? await this.#find<T>(claim, now) : null;
      if (earlier) return earlier;
      throw error;
    }
  }

  async #find<T>(claim: Claim, now: number): Promise<Outcome<T> | null> {
    const { db, tenantId } = this.#scope;
    const name =
      claim.by === 'key'
        ? eq(receipts.name, claim.name)
        : and(gte(receipts.name, `${claim.name}:`), lt(receipts.name, `${claim.name};`));
    const found = await db
      .select({ fingerprint: receipts.fingerprint, reply: receipts.reply })
      .from(receipts)
      .where(
        and(
          name,
          eq(receipts.tenantId, tenantId),
          gt(receipts.expiresAt, now),
          claim.by === 'key' ? undefined : this.#untouched(),
        ),
      )
      .limit(2);
    const [receipt, another] = found;
    if (receipt === undefined || another !== undefined) return null;
    requireSameBody(claim, receipt.fingerprint);
    return { reply: JSON.parse(receipt.reply), replayed: true };
  }

  /** Whoever made a session that something was sent to knows it: the answer arrived. Some begin by themselves. */
  #untouched(): SQL {
    const touched = and(
      eq(sessions.id, receipts.resourceId),
      gt(sessions.updatedAt, sessions.createdAt),
      eq(sessions.initialEvents, []),
      isNull(sessions.origin),
    );
    return notExists(this.#scope.db.select({ one: sql`1` }).from(sessions).where(touched));
  }
}

/** The statements that keep a receipt: part of the batch that makes what it is for. None without a claim. */
export function keepReceipt({ db, tenantId }: Scope, claim: Claim | undefined, made: Made) {
  if (claim === undefined) return [];
  const { id, reply, from = sql.empty(), now } = made;
  const name = claim.by === 'key' ? claim.name : `${claim.name}:${id}`;
  const expired = lte(receipts.expiresAt, now);
  const oldest = db
    .select({ name: receipts.name })
    .from(receipts)
    .where(expired)
    .orderBy(receipts.expiresAt)
    .limit(SWEPT_AT_ONCE);
  const expiresAt = now + KEPT_MS[claim.by];
  return [
    db.delete(receipts).where(and(expired, or(eq(receipts.name, name), inArray(receipts.name, oldest)))),
    // In the order of the table's columns.
    db
      .insert(receipts)
      .select(sql`SELECT ${name}, ${tenantId}, ${claim.fingerprint}, ${id}, ${reply}, ${expiresAt} ${from}`),
  ];
}
