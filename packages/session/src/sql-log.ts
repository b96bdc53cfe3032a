// The event log over SQLite.
//
// L1. Append is one transaction and names the row it follows: two writers never interleave.
// L2. A queued event that is taken is appended again, processed, under its id. Streams replay both rows; lists hide the
//     queued one from then on, so that a list is in the order the agent saw (R8).
// L3. What was accepted can always be taken: a queued event leaves room for what taking it adds.
// L4. A receipt is written in the transaction of the rows it is for. Rows never change, so neither does a replayed answer.
// L5. A read ends early rather than hold more than BATCH_CHARS, whatever the rows hold.
import { ApiError } from '@capstan/schema/error';
import type { SessionEvent } from '@capstan/schema/events';
import type { Page } from '@capstan/schema/page';
import type { Entry } from './entry.ts';
import { formatCursor, parseCursor } from './event-cursor.ts';
import { type Answered, type EventLog, type Line, LogMoved, type Receipt } from './ports.ts';
import type { EventQuery } from './service.ts';
import type { Sql, SqlValue } from './sql.ts';

/** A Durable Object's row ends at 2 MB; a stream frame should be far from it. */
const MAX_EVENT_BYTES = 1_000_000;
/** A page of this size stays far below what one RPC carries, 32 MiB. */
const BATCH_CHARS = 4_000_000;
/** What a queued event grows by when it is taken: `null` becomes an instant. */
const TAKEN_BYTES = JSON.stringify(new Date(0)).length - 'null'.length;

/** How many receipts that nobody can ask for any more a new one takes with it. */
const SWEPT_RECEIPTS = 100;

const encoder = new TextEncoder();

export class SqlLog implements EventLog {
  #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async lines(after: number, limit: number): Promise<Line[]> {
    const query = 'SELECT seq, type, data, note FROM events WHERE seq > ? ORDER BY seq LIMIT ?';
    return bounded(this.#sql.each<Line>(query, [after, limit]), limit).rows;
  }

  async append(expected: number, entries: readonly Entry[], receipt?: Receipt): Promise<void> {
    const rows = entries.map(toRow);
    this.#sql.transaction(() => {
      const [last] = this.#sql.all<{ seq: number | null }>('SELECT max(seq) AS seq FROM events', []);
      if ((last?.seq ?? 0) !== expected)
        throw new LogMoved('The session log was written by another process.');
      for (const [index, row] of rows.entries()) this.#insert(expected + index + 1, row);
      if (receipt) this.#keep(receipt, expected + 1);
    });
    await this.#sql.sync();
  }

  async answered(name: string, now: number): Promise<Answered | null> {
    const [kept] = this.#sql.all<{ fingerprint: string; echoes: string }>(
      'SELECT fingerprint, echoes FROM receipts WHERE name = ? AND expires_at > ?',
      [name, now],
    );
    if (!kept) return null;
    const rows = this.#sql.all<{ data: string }>(
      'SELECT data FROM json_each(?) AS echo JOIN events ON seq = echo.value ORDER BY echo.key',
      [kept.echoes],
    );
    return { fingerprint: kept.fingerprint, events: rows.map(({ data }): SessionEvent => JSON.parse(data)) };
  }

  #keep({ name, fingerprint, echoes, now, expiresAt }: Receipt, first: number): void {
    this.#sql.all(
      `DELETE FROM receipts WHERE name IN
         (SELECT name FROM receipts WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
      [now, SWEPT_RECEIPTS],
    );
    this.#sql.all(
      'INSERT OR REPLACE INTO receipts (name, fingerprint, echoes, expires_at) VALUES (?, ?, ?, ?)',
      [name, fingerprint, JSON.stringify(echoes.map((place) => first + place)), expiresAt],
    );
  }

  #insert(seq: number, row: Row): void {
    if (row.fromClient && row.processedAt !== null) {
      this.#sql.all('UPDATE events SET hidden = 1 WHERE id = ? AND processed_at IS NULL AND hidden = 0', [
        row.id,
      ]);
    }
    this.#sql.all('INSERT INTO events (seq, id, type, processed_at, data, note) VALUES (?, ?, ?, ?, ?, ?)', [
      seq,
      row.id,
      row.type,
      row.processedAt,
      row.data,
      row.note,
    ]);
  }

  async page(query: EventQuery): Promise<Page<SessionEvent>> {
    const { where, params } = toFilter(query);
    const found = this.#sql.each<{ seq: number; data: string; note: string | null }>(
      `SELECT seq, data, NULL AS note FROM events WHERE ${where.join(' AND ')}
       ORDER BY seq ${query.order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?`,
      [...params, query.limit + 1],
    );
    const { rows, more } = bounded(found, query.limit);
    const last = rows.at(-1);
    return {
      data: rows.map((row): SessionEvent => JSON.parse(row.data)),
      next_page: more && last ? formatCursor({ seq: last.seq, order: query.order }) : null,
    };
  }
}

/** The first rows, at least one: `limit` at most, and no more than BATCH_CHARS of them together. */
function bounded<R extends Pick<Line, 'data' | 'note'>>(found: Iterable<R>, limit: number) {
  const rows: R[] = [];
  let chars = 0;
  for (const row of found) {
    chars += row.data.length + (row.note?.length ?? 0);
    if (rows.length === limit || (rows.length > 0 && chars > BATCH_CHARS)) return { rows, more: true };
    rows.push(row);
  }
  return { rows, more: false };
}

interface Row {
  id: string;
  type: string;
  processedAt: number | null;
  fromClient: boolean;
  data: string;
  note: string | null;
}

function toRow({ event, note }: Entry): Row {
  const data = JSON.stringify(event);
  const stored = note === undefined ? null : JSON.stringify(note);
  const room = event.processed_at === null ? TAKEN_BYTES : 0;
  if (overflows(data + (stored ?? ''), MAX_EVENT_BYTES - room)) {
    throw new ApiError(
      'too_large',
      `An event of type ${event.type} is over ${MAX_EVENT_BYTES} bytes; split it into several.`,
    );
  }
  return {
    id: event.id,
    type: event.type,
    processedAt: event.processed_at === null ? null : Date.parse(event.processed_at),
    fromClient: event.type.startsWith('user.') || event.type === 'system.message',
    data,
    note: stored,
  };
}

/** A character takes one to three bytes: most texts need no counting. */
function overflows(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  return text.length * 3 > maxBytes && encoder.encode(text).length > maxBytes;
}

function toFilter(query: EventQuery): { where: string[]; params: SqlValue[] } {
  const where = ['hidden = 0'];
  const params: SqlValue[] = [];
  if (query.page !== undefined) {
    where.push(query.order === 'asc' ? 'seq > ?' : 'seq < ?');
    params.push(parseCursor(query.page, query.order).seq);
  }
  if (query.types !== undefined) {
    where.push('type IN (SELECT value FROM json_each(?))');
    params.push(JSON.stringify(query.types));
  }
  if (query.after !== undefined) {
    where.push(`processed_at ${query.after.inclusive ? '>=' : '>'} ?`);
    params.push(query.after.at);
  }
  if (query.before !== undefined) {
    where.push(`processed_at ${query.before.inclusive ? '<=' : '<'} ?`);
    params.push(query.before.at);
  }
  return { where, params };
}
