import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { made } from './entry.ts';
import { describeEventLog } from './event-log.contract.ts';
import { selectPage, selectView } from './log-query.ts';
import { MemoryBlobs } from './memory-blobs.ts';
import { migrate } from './sql.ts';
import { SqlLog } from './sql-log.ts';
import { MIGRATIONS, memorySql, openSql } from './testing/memory-sql.ts';

describeEventLog('node:sqlite', async () => ({
  create: async () => {
    const sql = memorySql();
    return { log: new SqlLog(sql), blobs: new MemoryBlobs(), reopen: async () => new SqlLog(sql) };
  },
  close: async () => {},
}));

describe('a log in SQLite', () => {
  it('reads a view by an index of its own, in order, whatever other threads wrote', () => {
    const sql = memorySql();
    const plan = (query: string) =>
      sql.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`, []).map(({ detail }) => detail);
    for (const [selection, index] of [
      [selectView('session'), 'events_in_session'],
      [selectView({ thread: 'a' }), 'events_in_thread'],
      [selectPage({ limit: 1, order: 'desc' }), 'events_in_session'],
      [
        selectPage({ limit: 1, order: 'asc', page: 'a1', after: { at: 1, inclusive: true } }),
        'events_in_session',
      ],
      [selectPage({ limit: 1, order: 'asc', thread: 'a' }), 'events_in_thread'],
    ] as const) {
      const steps = plan(
        `SELECT data FROM events WHERE ${[...selection.where, 'seq > 1'].join(' AND ')} ORDER BY seq LIMIT 9`.replaceAll(
          '?',
          "'a'",
        ),
      );
      expect(steps).toEqual([expect.stringMatching(`SEARCH events USING INDEX ${index} .*(rowid|seq)>`)]);
    }
    expect(
      plan("SELECT seq FROM events WHERE id = 'a' AND processed_at IS NOT NULL ORDER BY seq LIMIT 1"),
    ).toEqual([expect.stringContaining('events_by_id')]);
  });

  it('that was written before there were threads is read as the primary thread wrote it', async () => {
    const sql = openSql(new DatabaseSync(':memory:'), () => false);
    migrate(sql, MIGRATIONS.slice(0, 2));
    const { event } = made({ now: 0, newId: () => 'sevt_old' }, 'agent.thinking', {});
    sql.all(
      'INSERT INTO events (seq, id, type, processed_at, hidden, data, note) VALUES (?, ?, ?, ?, ?, ?, ?)',
      [1, event.id, event.type, 0, 0, JSON.stringify(event), '{"opaque":"kept"}'],
    );
    migrate(sql, MIGRATIONS);
    const log = new SqlLog(sql);
    const row = { seq: 1, type: event.type, data: JSON.stringify(event), note: '{"opaque":"kept"}' };
    expect(await log.lines(0, 10, 'session')).toEqual([row]);
    expect(await log.position('sevt_old')).toBe(1);
    await log.append(1, [made({ now: 0, newId: () => 'sevt_new' }, 'agent.thinking', {})]);
    expect(await log.lines(0, 10)).toHaveLength(2);
  });
});
