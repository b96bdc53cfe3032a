// The outbox: webhook events of one tenant, written in the transaction of the change that they tell of.
// 1. A change that is committed is told, and one that is not is not: both are one batch.
// 2. What has an id of its own is told once, however often it is announced.
// 3. A tenant without endpoints has no events: nobody is to be told, then or later.
import { type Announcement, subjectOf, type WebhookNews } from '@capstan/schema/webhook-events';
import { newId } from '@capstan/shared/ids';
import { eq, type SQL, sql } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Scope } from './scope.ts';
import { outbox } from './tables/outbox.ts';
import { webhookEndpoints } from './tables/webhooks.ts';

export type { WebhookNews } from '@capstan/schema/webhook-events';

const RANDOM_CHARS = 14;

/**
 * The statement that tells the tenant's endpoints, as a list: part of the batch of the change that it tells of. `when` is a
 * condition as it holds at its place in the batch, for a change that may turn out to be none: put it before the change,
 * with the condition that the change has.
 */
export function announce(scope: Scope, news: WebhookNews, when?: SQL): [ReturnType<typeof telling>] {
  return [telling(scope, [{ ...news, eventId: newId('webhookEvent', news.now) }], when)];
}

/** The same for many. None for none. */
export function announceAll(
  scope: Scope,
  all: readonly Announcement[],
  when?: SQL,
): ReturnType<typeof telling>[] {
  return all.length === 0 ? [] : [telling(scope, all, when)];
}

/** Tells of each of `rows` (`FROM … WHERE …`), which `id` names: what it is that is told of, only the database knows. */
export function announceFrom(
  { db, tenantId }: Scope,
  { type, now }: Pick<WebhookNews, 'type' | 'now'>,
  { id, rows }: { id: SQL; rows: SQL },
) {
  // As any other id: its time, then chance.
  const begin = newId('webhookEvent', now).slice(0, -RANDOM_CHARS);
  const random = sql.raw(`substr(lower(hex(randomblob(${RANDOM_CHARS}))), 1, ${RANDOM_CHARS})`);
  const each = sql`SELECT ${begin} || ${random}, ${tenantId}, ${type}, json_object('id', ${id}), ${now}, NULL
    ${rows} AND ${listening(tenantId)}`;
  return db.insert(outbox).select(each);
}

/** As a condition: whether that table has such a row. */
export function exists(table: SQLiteTable, where: SQL | undefined): SQL {
  return sql`EXISTS (SELECT 1 FROM ${table} WHERE ${where})`;
}

function telling({ db, tenantId }: Scope, all: readonly Announcement[], when?: SQL) {
  const told = all.map((news) => ({
    id: news.eventId,
    type: news.type,
    subject: JSON.stringify(subjectOf(news)),
    at: news.now,
  }));
  const value = (name: string) => sql.raw(`value ->> '$.${name}'`);
  const listens = listening(tenantId);
  const wanted = when === undefined ? listens : sql`${listens} AND (${when})`;
  // In the order of the table's columns.
  const rows = sql`SELECT ${value('id')}, ${tenantId}, ${value('type')}, ${value('subject')}, ${value('at')}, NULL
    FROM json_each(${JSON.stringify(told)}) WHERE ${wanted}`;
  return db.insert(outbox).select(rows).onConflictDoNothing({ target: outbox.id });
}

function listening(tenantId: string): SQL {
  return exists(webhookEndpoints, eq(webhookEndpoints.tenantId, tenantId));
}
