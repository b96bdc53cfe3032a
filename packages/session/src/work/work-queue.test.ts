import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { silentLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import { migrate } from '../sql.ts';
import { openSql } from '../testing/memory-sql.ts';
import { LEASE_SECONDS, NO_HEARTBEAT, RECLAIM_MS } from './work-item.ts';
import { WorkQueue } from './work-queue.ts';

const T = Date.UTC(2026, 0, 1);
const table = readFileSync(new URL('../../../../migrations/work-do/0001_work.sql', import.meta.url), 'utf8');
const poll = { workerId: null, blockMs: 0, reclaimMs: RECLAIM_MS };
const beat = { expected: NO_HEARTBEAT, ttlSeconds: 10, offer: null };
const byForce = { force: true, byWorker: true, offer: null };

/** What outlives a process: the table, the alarm and the clock; and what sessions say when they have lost a worker. */
function world() {
  const sql = openSql(new DatabaseSync(':memory:'), () => false);
  migrate(sql, [table]);
  const it = {
    now: T,
    alarmAt: null as number | null,
    needs: new Map<string, boolean>(),
    lost: [] as { sessionId: string; until: number }[],
    away: false,
    ids: 0,
    /** A process that serves the queue. */
    open: () =>
      new WorkQueue({
        sql,
        alarm: {
          arm: (at) => {
            it.alarmAt = it.alarmAt === null ? at : Math.min(it.alarmAt, at);
          },
          disarm: () => {
            it.alarmAt = null;
          },
        },
        workerLost: async (sessionId, until) => {
          if (it.away) throw new Error('the session is away');
          it.lost.push({ sessionId, until });
          return it.needs.get(sessionId) ?? false;
        },
        newId: () => `work_${String(++it.ids).padStart(4, '0')}`,
        now: () => it.now,
        logger: silentLogger,
      }),
  };
  return it;
}

/** What was begun without being waited for comes to an end. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a work queue', () => {
  it('offers the oldest first, each to one poll, until it is let lie', () => {
    const it = world();
    const queue = it.open();
    for (const session of ['a', 'b', 'c']) {
      it.now += 1;
      queue.want(session, true);
    }
    queue.want('a', true);
    expect([queue.poll(poll), queue.poll(poll)].map((item) => item?.sessionId)).toEqual(['a', 'b']);
    it.now += RECLAIM_MS;
    expect(queue.poll(poll)?.sessionId, 'the first one, which nobody acknowledged').toBe('a');
    expect(queue.poll(poll)?.sessionId).toBe('b');
    expect(queue.poll(poll)?.sessionId).toBe('c');
    expect(queue.poll(poll)).toBeNull();
    expect(queue.poll({ ...poll, reclaimMs: 0 })?.sessionId).toBe('a');
  });

  it('takes back what nobody needs any more, and leaves a worker what it has', async () => {
    const it = world();
    const queue = it.open();
    queue.want('a', true);
    queue.want('a', false);
    expect(queue.poll(poll)).toBeNull();
    queue.want('a', true);
    const { id = '' } = queue.poll(poll) ?? {};
    queue.ack(id, null);
    queue.want('a', false);
    expect(queue.find(id).state).toBe('starting');
    queue.want('a', true);
    expect(queue.poll({ ...poll, reclaimMs: 0 })).toBeNull();
    expect(it.lost).toEqual([]);
  });

  it('offers what a lost worker had once its session knows, and needs another', async () => {
    const it = world();
    const queue = it.open();
    for (const session of ['a', 'b']) {
      queue.want(session, true);
      const { id = '' } = queue.poll(poll) ?? {};
      queue.ack(id, null);
      queue.beat(id, beat);
    }
    it.needs.set('a', true);
    it.now += 10_000;
    expect(queue.poll(poll), 'its session does not know yet').toBeNull();
    await settled();
    expect(it.lost).toEqual(['a', 'b'].map((sessionId) => ({ sessionId, until: T + 10_000 })));
    expect(queue.poll(poll)).toMatchObject({ sessionId: 'a', offer: 2, heartbeatAt: null });
    expect(queue.poll(poll)).toBeNull();
    expect(queue.list({ before: null, take: 5 }).map(({ state }) => state)).toEqual(['stopped', 'queued']);
    expect(queue.beat('work_0001', { ...beat, offer: 1 }).refused).toBe(true);
  });

  it('offers a session again when its worker stops in the middle, in a new item', async () => {
    const it = world();
    const queue = it.open();
    queue.want('a', true);
    const { id = '' } = queue.poll(poll) ?? {};
    queue.ack(id, null);
    it.needs.set('a', true);
    queue.stop(id, byForce);
    queue.want('a', true);
    expect(queue.poll(poll), 'its session does not know yet').toBeNull();
    await settled();
    const next = queue.poll(poll);
    expect(next).toMatchObject({ sessionId: 'a', offer: 1 });
    expect(next?.id).not.toBe(id);
    expect(queue.poll(poll)).toBeNull();
  });

  it('tells a session after any death that its worker is gone, as often as it takes', async () => {
    const it = world();
    it.needs.set('a', true);
    const first = it.open();
    first.want('a', true);
    const { id = '' } = first.poll(poll) ?? {};
    first.ack(id, null);
    it.away = true;
    it.now = it.alarmAt ?? 0;
    expect(it.now, 'the alarm rings when the lease is over').toBe(T + LEASE_SECONDS * 1_000);
    it.alarmAt = null;
    first.wake();
    await settled();
    expect(it.alarmAt).not.toBeNull();
    it.away = false;
    const second = it.open();
    expect(second.poll(poll)).toBeNull();
    it.now = it.alarmAt ?? 0;
    second.wake();
    await settled();
    expect(it.lost).toEqual([{ sessionId: 'a', until: T + LEASE_SECONDS * 1_000 }]);
    expect(second.poll(poll)).toMatchObject({ id, sessionId: 'a' });
  });

  it('wakes who waits as soon as there is work', async () => {
    const it = world();
    const queue = it.open();
    const { news } = queue.changed();
    queue.want('a', true);
    await news;
    expect(queue.poll(poll)?.sessionId).toBe('a');
  });

  it('keeps nothing of who waited in vain', async () => {
    const queue = world().open();
    const gone = queue.changed();
    const there = queue.changed();
    gone.forget();
    queue.want('a', true);
    await there.news;
    const told = gone.news.then(() => 'told');
    expect(await Promise.race([told, settled()])).toBeUndefined();
  });

  it('counts what waits, what was given, and who polls', () => {
    const it = world();
    const queue = it.open();
    expect(queue.stats()).toEqual({ depth: 0, pending: 0, oldestQueuedAt: null, workersPolling: 0 });
    queue.want('a', true);
    it.now += 5;
    queue.want('b', true);
    queue.poll({ ...poll, workerId: 'one' });
    queue.poll({ ...poll, workerId: 'one', blockMs: 0, reclaimMs: 60_000 });
    queue.poll({ ...poll, workerId: 'two', reclaimMs: 60_000 });
    expect(queue.stats()).toEqual({ depth: 0, pending: 2, oldestQueuedAt: T, workersPolling: 2 });
    it.now += 30_000;
    expect(queue.stats().workersPolling).toBe(0);
  });

  it('lists newest first, page by page, and forgets what stopped a month ago', async () => {
    const it = world();
    const queue = it.open();
    for (const session of ['a', 'b', 'c']) {
      queue.want(session, true);
      queue.want(session, false);
    }
    const ids = (before: string | null) => queue.list({ before, take: 2 }).map(({ id }) => id);
    expect(ids(null)).toEqual(['work_0003', 'work_0002']);
    expect(ids('work_0002')).toEqual(['work_0001']);
    it.now += 31 * 24 * 3_600_000;
    queue.want('d', true);
    expect(ids(null)).toEqual(['work_0004']);
  });
});
