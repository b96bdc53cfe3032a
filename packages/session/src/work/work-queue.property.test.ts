// Many workers that poll, acknowledge, beat, fall silent and come back as zombies: never have two of them one session at once,
// and nothing that needs a worker is forgotten.
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isApiError } from '@capstan/schema/error';
import { silentLogger } from '@capstan/shared/logger';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { migrate } from '../sql.ts';
import { openSql } from '../testing/memory-sql.ts';
import { NO_HEARTBEAT, RECLAIM_MS, type WorkItem } from './work-item.ts';
import { WorkQueue } from './work-queue.ts';

const table = readFileSync(new URL('../../../../migrations/work-do/0001_work.sql', import.meta.url), 'utf8');
const SESSIONS = ['a', 'b', 'c'];
const WORKERS = [0, 1, 2];
const TTL_SECONDS = 10;

const worker = fc.constantFrom(...WORKERS);
const session = fc.constantFrom(...SESSIONS);
const step = fc.oneof(
  fc.record({ kind: fc.constant('want' as const), session, wanted: fc.boolean() }),
  fc.record({ kind: fc.constant('poll' as const), worker }),
  fc.record({ kind: fc.constant('ack' as const), worker, token: fc.boolean() }),
  fc.record({ kind: fc.constant('beat' as const), worker, token: fc.boolean() }),
  fc.record({ kind: fc.constant('stop' as const), worker, force: fc.boolean() }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, RECLAIM_MS, 9_000, 95_000) }),
  fc.record({ kind: fc.constant('settle' as const) }),
  fc.record({ kind: fc.constant('crash' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** What a worker believes of the item it has. */
interface Belief {
  item: WorkItem;
  /** Null: it has not acknowledged it. */
  last: string | null;
  /** Until when it may believe that it holds it. */
  until: number;
}

class Play {
  now = Date.UTC(2026, 0, 1);
  needs = new Map(SESSIONS.map((name) => [name, false]));
  told: (() => void)[] = [];
  beliefs = new Map<number, Belief>();
  ids = 0;
  #sql = openSql(new DatabaseSync(':memory:'), () => false);
  queue: WorkQueue;

  constructor() {
    migrate(this.#sql, [table]);
    this.queue = this.#open();
  }

  #open(): WorkQueue {
    return new WorkQueue({
      sql: this.#sql,
      alarm: { arm: () => undefined, disarm: () => undefined },
      workerLost: (name) =>
        new Promise((resolve) => this.told.push(() => resolve(this.needs.get(name) ?? false))),
      newId: () => `work_${String(++this.ids).padStart(4, '0')}`,
      now: () => this.now,
      logger: silentLogger,
    });
  }

  async settle(): Promise<void> {
    this.queue.wake();
    for (const tell of this.told.splice(0)) tell();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async take(now: Step): Promise<void> {
    switch (now.kind) {
      case 'want':
        this.needs.set(now.session, now.wanted);
        this.queue.want(now.session, now.wanted);
        return;
      case 'poll': {
        const item = this.queue.poll({ workerId: String(now.worker), blockMs: 0, reclaimMs: RECLAIM_MS });
        if (item) this.beliefs.set(now.worker, { item, last: null, until: 0 });
        return;
      }
      case 'ack':
        return this.#believing(now.worker, (belief) => {
          const item = this.queue.ack(belief.item.id, now.token ? belief.item.offer : null);
          return { item: { ...belief.item }, last: NO_HEARTBEAT, until: item.leaseUntil ?? 0 };
        });
      case 'beat':
        return this.#believing(now.worker, (belief) => this.#beat(belief, now.token));
      case 'stop':
        return this.#believing(now.worker, ({ item }) => {
          this.queue.stop(item.id, { force: now.force, byWorker: true, offer: item.offer });
          return null;
        });
      case 'wait':
        this.now += now.ms;
        return;
      case 'settle':
        return this.settle();
      case 'crash':
        this.told = [];
        this.queue = this.#open();
    }
  }

  #beat(belief: Belief, token: boolean): Belief | null {
    if (belief.last === null) return belief;
    const beat = { expected: belief.last, ttlSeconds: TTL_SECONDS, offer: token ? belief.item.offer : null };
    const { item, extended } = this.queue.beat(belief.item.id, beat);
    if (!extended || item.state === 'stopping') return null;
    const last = new Date(item.heartbeatAt ?? 0).toISOString();
    return { item: belief.item, last, until: item.leaseUntil ?? 0 };
  }

  #believing(name: number, act: (belief: Belief) => Belief | null): void {
    const belief = this.beliefs.get(name);
    if (belief === undefined) return;
    try {
      const next = act(belief);
      if (next === null) this.beliefs.delete(name);
      else this.beliefs.set(name, next);
    } catch (error) {
      if (!isApiError(error)) throw error;
      this.beliefs.delete(name);
    }
  }

  /** Workers that, by all they know, hold an item of that session now. */
  holders(name: string): number {
    const held = [...this.beliefs.values()].filter(
      ({ item, until }) => item.sessionId === name && until > this.now,
    );
    return held.length;
  }
}

describe('a work queue under any schedule', () => {
  it('never has two live holders of a session, and forgets none that needs a worker', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const play = new Play();
        for (const next of steps) {
          await play.take(next);
          for (const name of SESSIONS)
            expect(play.holders(name), `holders of ${name}`).toBeLessThanOrEqual(1);
        }
        // Whoever still has something falls silent.
        play.now += 200_000;
        await play.settle();
        await play.settle();
        const offered = [];
        for (let item = poll(play); item !== null; item = poll(play)) offered.push(item.sessionId);
        const needing = SESSIONS.filter((name) => play.needs.get(name));
        expect(offered.toSorted()).toEqual(needing);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

function poll({ queue }: Play): WorkItem | null {
  return queue.poll({ workerId: null, blockMs: 0, reclaimMs: RECLAIM_MS });
}
