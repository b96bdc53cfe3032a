// The event log over SQLite.
//
// L1. Append is one transaction and names the row it follows: two writers never interleave.
// L2. A queued event that is taken is appended again, processed, under its id. Streams replay both rows; lists hide the
//     queued one from then on, so that a list is in the order the agent saw (R8).
// L3. What was accepted can always be taken: a queued event leaves room for what taking it adds.
// L4. Receipt, snapshot and the end of drafts are in the transaction of the rows they belong to.
// L5. A read ends early rather than hold more than BATCH_CHARS, whatever the rows hold and what of them was spilled.
// L6. A read of one view costs what the view holds, not what the log holds.
import { outOfBounds, type Page } from '@capstan/schema/page';
import type { Entry } from './entry.ts';
import { formatCursor } from './event-cursor.ts';
import type { Line } from './line.ts';
import { selectPage, selectPlace, selectView } from './log-query.ts';
import { overflows, type Row, toRow } from './log-row.ts';
import {
  type Draft,
  type EventLog,
  type Extra,
  LogMoved,
  type Receipt,
  type Snapshot,
  type StoredAnswer,
  type View,
} from './ports.ts';
import type { EventQuery } from './service.ts';
import { spilledBytes } from './spill.ts';
import type { Sql } from './sql.ts';

/** A page of this size stays far below what one RPC carries, 32 MiB. */
const BATCH_CHARS = 4_000_000;
/** A row of a Durable Object ends at 2 MB. */
const MAX_SNAPSHOT_BYTES = 1_500_000;
/** How many receipts that nobody can ask for any more a new one takes with it. */
const SWEPT_RECEIPTS = 100;

export class SqlLog implements EventLog {
  #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async lines(after: number, limit: number, view?: View): Promise<Line[]> {
    const { where, params } = selectView(view);
    const found = this.#sql.each<Line>(
      `SELECT seq, type, data, note FROM events WHERE ${[...where, 'seq > ?'].join(' AND ')}
       ORDER BY seq LIMIT ?`,
      [...params, after, limit],
    );
    return bounded(found, limit).rows;
  }

  async page(query: EventQuery & { thread?: string }): Promise<Page<Line>> {
    this.#requireWithin(query);
    const { where, params } = selectPage(query);
    const found = this.#sql.each<Line>(
      `SELECT seq, type, data, CASE WHEN instr(note, '"spill":') THEN note END AS note
       FROM events WHERE ${where.join(' AND ')}
       ORDER BY seq ${query.order === 'asc' ? 'ASC' : 'DESC'} LIMIT ?`,
      [...params, query.limit + 1],
    );
    const { rows, more } = bounded(found, query.limit);
    const last = rows.at(-1);
    return {
      data: rows,
      next_page: more && last ? formatCursor({ seq: last.seq, order: query.order }) : null,
    };
  }

  /** With the bounds it was given for, a cursor always stands within them. */
  #requireWithin(query: EventQuery): void {
    const place = selectPlace(query);
    if (place === null) return;
    const [found] = this.#sql.all(`SELECT seq FROM events WHERE ${place.where.join(' AND ')}`, place.params);
    if (found === undefined) throw outOfBounds();
  }

  async position(eventId: string): Promise<number | null> {
    const [row] = this.#sql.all<{ seq: number }>(
      'SELECT seq FROM events WHERE id = ? AND processed_at IS NOT NULL ORDER BY seq LIMIT 1',
      [eventId],
    );
    return row?.seq ?? null;
  }

  async append(expected: number, entries: readonly Entry[], extra: Extra = {}): Promise<void> {
    const rows = entries.map(toRow);
    this.#sql.transaction(() => {
      const [last] = this.#sql.all<{ seq: number | null }>('SELECT max(seq) AS seq FROM events', []);
      if ((last?.seq ?? 0) !== expected)
        throw new LogMoved('The session log was written by another process.');
      for (const [index, row] of rows.entries()) this.#insert(expected + index + 1, row);
      if (extra.receipt) this.#keep(extra.receipt, expected + 1);
      this.#endDrafts(rows, extra);
      if (extra.snapshot !== undefined) this.#photograph(expected + rows.length, extra.snapshot);
    });
    await this.#sql.sync();
  }

  #insert(seq: number, row: Row): void {
    const { id, type, thread, shared, processedAt, data, note } = row;
    if (row.fromClient && processedAt !== null) {
      this.#sql.all('UPDATE events SET hidden = 1 WHERE id = ? AND processed_at IS NULL AND hidden = 0', [
        id,
      ]);
    }
    this.#sql.all(
      `INSERT INTO events (seq, id, type, thread, shared, processed_at, data, note)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      [seq, id, type, thread, shared, processedAt, data, note],
    );
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

  #endDrafts(rows: readonly Row[], { dropDrafts }: Extra): void {
    this.#sql.all('DELETE FROM drafts WHERE event_id IN (SELECT value FROM json_each(?))', [
      JSON.stringify(rows.map((row) => row.id)),
    ]);
    for (const thread of dropDrafts ?? []) this.#sql.all('DELETE FROM drafts WHERE thread IS ?', [thread]);
  }

  #photograph(seq: number, state: string): void {
    // The one before stays, and so does what it is for: the fold after it is only longer.
    if (overflows(state, MAX_SNAPSHOT_BYTES)) return;
    this.#sql.all('INSERT OR REPLACE INTO snapshot (place, seq, state) VALUES (1, ?, ?)', [seq, state]);
  }

  async answered(name: string, now: number): Promise<StoredAnswer | null> {
    const [kept] = this.#sql.all<{ fingerprint: string; echoes: string }>(
      'SELECT fingerprint, echoes FROM receipts WHERE name = ? AND expires_at > ?',
      [name, now],
    );
    if (!kept) return null;
    const lines = this.#sql.all<Line>(
      `SELECT seq, events.type, data, note FROM json_each(?) AS echo JOIN events ON seq = echo.value
       ORDER BY echo.key`,
      [kept.echoes],
    );
    return { fingerprint: kept.fingerprint, lines };
  }

  async snapshot(): Promise<Snapshot | null> {
    return this.#sql.all<Snapshot>('SELECT seq, state FROM snapshot', [])[0] ?? null;
  }

  async draft({ thread, eventId, text }: Draft): Promise<void> {
    this.#sql.all(
      `INSERT INTO drafts (event_id, thread, text)
       SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM events WHERE id = ?1)`,
      [eventId, thread, text],
    );
    await this.#sql.sync();
  }

  async drafts(): Promise<Draft[]> {
    const pieces = this.#sql.all<Draft>(
      'SELECT event_id AS eventId, thread, text FROM drafts ORDER BY place',
      [],
    );
    const joined = new Map<string, Draft>();
    for (const { thread, eventId, text } of pieces) {
      joined.set(eventId, { thread, eventId, text: (joined.get(eventId)?.text ?? '') + text });
    }
    return [...joined.values()];
  }
}

/** The first rows, at least one: `limit` at most, and together no more than BATCH_CHARS, counting what was spilled. */
function bounded(found: Iterable<Line>, limit: number): { rows: Line[]; more: boolean } {
  const rows: Line[] = [];
  let chars = 0;
  for (const row of found) {
    chars += row.data.length + (row.note?.length ?? 0) + spilledBytes(row.note);
    if (rows.length === limit || (rows.length > 0 && chars > BATCH_CHARS)) return { rows, more: true };
    rows.push(row);
  }
  return { rows, more: false };
}
