// The queue of a self-hosted environment: which sessions wait for a worker, and who has which.
//
// Q1. Of a session there is one item at a time that is not over; it is offered once its session knows that the worker
//     before is gone. Two polls never get one item, unless the first has let it lie.
// Q2. Nothing is awaited between reading an item and writing it: the host runs one queue at one place.
// Q3. That a session has lost its worker is owed to it until it was told, whatever dies meanwhile. Only then, and only when
//     it says that it needs one, is it offered again.
// Q4. A poll that finds nothing writes nothing.
import { ApiError, isApiError } from '@capstan/schema/error';
import { type MetadataPatch, patchMetadata } from '@capstan/schema/metadata';
import type { Logger } from '@capstan/shared/logger';
import type { Alarm } from '../ports.ts';
import type { Sql, SqlValue } from '../sql.ts';
import {
  acknowledged,
  type Beat,
  beaten,
  given,
  isOffered,
  lapsed,
  newItem,
  type Stopping,
  stopped,
  type WorkItem,
  withdrawn,
} from './work-item.ts';
import type { Poll, Pulse, QueueStats, WorkPage } from './work-queues.ts';

export interface QueuePorts {
  sql: Sql;
  alarm: Alarm;
  /** As Sessions.workerLost. */
  workerLost(sessionId: string, until: number): Promise<boolean>;
  newId(): string;
  /** Epoch ms. */
  now(): number;
  logger: Logger;
}

const TELL_AGAIN_MS = 3_000;
const SEEN_MS = 30_000;
const MOST_WORKERS = 10_000;
/** What is stopped is remembered for so long. */
const KEPT_MS = 30 * 24 * 3_600_000;
const SWEPT_AT_ONCE = 100;

export class WorkQueue {
  #ports: QueuePorts;
  /** When each worker polled last, epoch ms; the one that has been silent longest first. */
  #seen = new Map<string, number>();
  #telling = new Set<string>();
  #waiting = new Set<() => void>();

  constructor(ports: QueuePorts) {
    this.#ports = ports;
  }

  want(sessionId: string, wanted: boolean): void {
    this.#lapse();
    const live = this.#live(sessionId);
    if (wanted && live === null) this.#add(sessionId);
    else if (!wanted && live !== null) this.#save(withdrawn(live, this.#now));
  }

  poll({ workerId, reclaimMs }: Poll): WorkItem | null {
    if (workerId !== null) this.#see(workerId);
    this.#lapse();
    const now = this.#now;
    const [oldest] = this.#items(
      `state = 'queued' AND lost_at IS NULL AND (offered_at IS NULL OR offered_at <= ?)
       ORDER BY queued_at, id LIMIT 1`,
      [now - reclaimMs],
    );
    if (oldest === undefined || !isOffered(oldest, { now, reclaimMs })) return null;
    return this.#save(given(oldest, now));
  }

  /** `news` resolves when there may be something to poll for that was not there before; `forget` is for who waits no more. */
  changed(): { news: Promise<void>; forget(): void } {
    const { promise: news, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    return { news, forget: () => this.#waiting.delete(resolve) };
  }

  ack(workId: string, offer: number | null): WorkItem {
    return this.#save(acknowledged(this.find(workId), { offer }, this.#now));
  }

  beat(workId: string, beat: Beat): Pulse {
    const item = this.find(workId);
    const next = beaten(item, beat, this.#now);
    if (next === undefined) return { item, extended: false, refused: true };
    if (next === item) return { item, extended: false, refused: false };
    return { item: this.#save(next), extended: true, refused: false };
  }

  stop(workId: string, stopping: Stopping): WorkItem {
    const item = this.#save(stopped(this.find(workId), stopping, this.#now));
    this.#tell();
    return item;
  }

  update(workId: string, metadata: MetadataPatch): WorkItem {
    const item = this.find(workId);
    return this.#save({ ...item, metadata: patchMetadata(item.metadata, metadata) });
  }

  /** Refuses (`not_found`) what is not in this queue. */
  find(workId: string): WorkItem {
    this.#lapse();
    const [item] = this.#items('id = ?', [workId]);
    if (item !== undefined) return item;
    throw new ApiError('not_found', `No work item ${workId} in this environment`);
  }

  list({ before, take }: WorkPage): WorkItem[] {
    this.#lapse();
    return before === null
      ? this.#items('1 ORDER BY id DESC LIMIT ?', [take])
      : this.#items('id < ? ORDER BY id DESC LIMIT ?', [before, take]);
  }

  stats(): QueueStats {
    this.#lapse();
    const now = this.#now;
    const [row] = this.#ports.sql.all<{ depth: number; pending: number; oldest: number | null }>(
      `SELECT count(*) FILTER (WHERE offered_at IS NULL) AS depth,
              count(*) FILTER (WHERE offered_at IS NOT NULL) AS pending, min(queued_at) AS oldest
       FROM work WHERE state = 'queued'`,
      [],
    );
    const { depth = 0, pending = 0, oldest = null } = row ?? {};
    const workersPolling = [...this.#seen.values()].filter((at) => at > now - SEEN_MS).length;
    return { depth, pending, oldestQueuedAt: oldest, workersPolling };
  }

  /** Does what is due: leases that are over, sessions that are to be told. */
  wake(): void {
    this.#lapse();
    this.#tell();
    const { alarm, sql } = this.#ports;
    const [next] = sql.all<{ lease: number | null }>('SELECT min(lease_until) AS lease FROM work', []);
    if (next?.lease) alarm.arm(next.lease);
  }

  get #now(): number {
    return this.#ports.now();
  }

  #lapse(): void {
    const now = this.#now;
    const over = this.#items("state IN ('starting', 'active', 'stopping') AND lease_until <= ?", [now]);
    for (const item of over) this.#save(lapsed(item, now));
    if (over.length > 0) this.#tell();
  }

  #add(sessionId: string): void {
    const now = this.#now;
    this.#ports.sql.all(
      `DELETE FROM work WHERE id IN
         (SELECT id FROM work WHERE state = 'stopped' AND lost_at IS NULL AND queued_at < ? LIMIT ${SWEPT_AT_ONCE})`,
      [now - KEPT_MS],
    );
    this.#save(newItem({ id: this.#ports.newId(), sessionId, now }));
    this.#announce();
  }

  #see(workerId: string): void {
    const [silent] = this.#seen.keys();
    this.#seen.delete(workerId);
    this.#seen.set(workerId, this.#now);
    if (this.#seen.size > MOST_WORKERS && silent !== undefined) this.#seen.delete(silent);
  }

  /** Those whose worker is gone and who were not told: one telling at a time for each. */
  #tell(): void {
    const owed = this.#items('lost_at IS NOT NULL', []).filter(({ id }) => !this.#telling.has(id));
    for (const item of owed) {
      this.#telling.add(item.id);
      this.#tellOne(item)
        .catch((error: unknown) => {
          this.#ports.logger.warn('work.tell_failed', { work_id: item.id, cause: String(error) });
          this.#ports.alarm.arm(this.#now + TELL_AGAIN_MS);
        })
        .finally(() => this.#telling.delete(item.id));
    }
  }

  async #tellOne({ id, sessionId, lostAt }: WorkItem): Promise<void> {
    if (lostAt === null) return;
    const needed = await this.#ports.workerLost(sessionId, lostAt).catch(goneOr);
    const [item] = this.#items('id = ?', [id]);
    if (item === undefined || item.lostAt !== lostAt) return;
    const told = { ...item, lostAt: null };
    this.#save(needed ? told : withdrawn(told, this.#now));
    if (needed && this.#live(sessionId) === null) this.#add(sessionId);
    else this.#announce();
  }

  #announce(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** The session's item that is not over, or of which it was not told. */
  #live(sessionId: string): WorkItem | null {
    const [item] = this.#items("session_id = ? AND (state <> 'stopped' OR lost_at IS NOT NULL)", [sessionId]);
    return item ?? null;
  }

  #items(where: string, params: readonly SqlValue[]): WorkItem[] {
    const rows = this.#ports.sql.all<{ item: string }>(`SELECT item FROM work WHERE ${where}`, params);
    return rows.map(({ item }) => JSON.parse(item));
  }

  #save(item: WorkItem): WorkItem {
    const { id, sessionId, state, queuedAt, offeredAt, leaseUntil, lostAt } = item;
    this.#ports.sql.all(
      `INSERT INTO work (id, session_id, state, queued_at, offered_at, lease_until, lost_at, item)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, queued_at = excluded.queued_at,
         offered_at = excluded.offered_at, lease_until = excluded.lease_until, lost_at = excluded.lost_at,
         item = excluded.item`,
      [id, sessionId, state, queuedAt, offeredAt, leaseUntil, lostAt, JSON.stringify(item)],
    );
    // Before it is told: a process that dies in between is woken to tell it.
    if (lostAt !== null) this.#ports.alarm.arm(this.#now + TELL_AGAIN_MS);
    else if (leaseUntil !== null) this.#ports.alarm.arm(leaseUntil);
    return item;
  }
}

/** A session that is gone needs nobody. */
function goneOr(error: unknown): boolean {
  if (isApiError(error) && error.code === 'not_found') return false;
  throw error;
}
