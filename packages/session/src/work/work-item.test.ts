import { isApiError } from '@capstan/schema/error';
import type { WorkState } from '@capstan/schema/work';
import { describe, expect, it } from 'vitest';
import {
  acknowledged,
  beaten,
  given,
  isOffered,
  LEASE_SECONDS,
  lapsed,
  lastHeartbeat,
  NO_HEARTBEAT,
  newItem,
  stopped,
  type WorkItem,
  withdrawn,
} from './work-item.ts';

const T = Date.UTC(2026, 0, 1);
const LEASE_MS = LEASE_SECONDS * 1_000;
const nobody = { offer: null };
const first = { expected: NO_HEARTBEAT, ttlSeconds: 10, offer: null };

/** One item in each state, as it comes to be there. */
function itemIn(state: WorkState): WorkItem {
  const queued = newItem({ id: 'work_1', sessionId: 'sesn_1', now: T });
  if (state === 'queued') return queued;
  const starting = acknowledged(given(queued, T), nobody, T + 1);
  if (state === 'starting') return starting;
  const active = beaten(starting, first, T + 2) ?? starting;
  if (state === 'active') return active;
  return stopped(active, { ...nobody, force: state === 'stopped', byWorker: false }, T + 3);
}

const STATES: WorkState[] = ['queued', 'starting', 'active', 'stopping', 'stopped'];

function outcome(act: () => WorkItem | undefined): string {
  try {
    return act()?.state ?? 'refused';
  } catch (error) {
    return isApiError(error) ? error.code : 'a fault';
  }
}

describe('a work item', () => {
  it.each([
    // state       ack          first beat   stop (owner)  stop (worker)  by force    lease over   withdrawn
    ['queued', 'conflict', 'refused', 'stopped', 'stopped', 'stopped', 'queued', 'stopped'],
    ['starting', 'conflict', 'active', 'stopping', 'stopped', 'stopped', 'queued', 'starting'],
    ['active', 'conflict', 'refused', 'stopping', 'stopping', 'stopped', 'queued', 'active'],
    ['stopping', 'conflict', 'stopping', 'stopping', 'stopping', 'stopped', 'stopped', 'stopping'],
    ['stopped', 'conflict', 'stopped', 'conflict', 'conflict', 'conflict', 'stopped', 'stopped'],
  ] as const)('that is %s goes where the table says', (state, ...expected) => {
    const item = itemIn(state);
    const now = T + 10;
    const stop = (force: boolean, byWorker: boolean) => () =>
      stopped(item, { ...nobody, force, byWorker }, now);
    expect([
      outcome(() => acknowledged(item, nobody, now)),
      outcome(() => beaten(item, first, now)),
      outcome(stop(false, false)),
      outcome(stop(false, true)),
      outcome(stop(true, false)),
      outcome(() => lapsed(item, T + LEASE_MS + 10)),
      outcome(() => withdrawn(item, now)),
    ]).toEqual(expected);
  });

  it('is given to a poll once, until that has let it lie', () => {
    const queued = itemIn('queued');
    const reclaimMs = 5_000;
    expect(isOffered(queued, { now: T, reclaimMs })).toBe(true);
    const offered = given(queued, T);
    expect(isOffered(offered, { now: T + reclaimMs - 1, reclaimMs })).toBe(false);
    expect(isOffered(offered, { now: T + reclaimMs, reclaimMs })).toBe(true);
    expect(acknowledged(offered, nobody, T + 1)).toMatchObject({ state: 'starting', acknowledgedAt: T + 1 });
  });

  it('takes from the holder of an earlier offer nothing at all', () => {
    const twice = given(given(itemIn('queued'), T), T + 6_000);
    expect(twice.offer).toBe(2);
    expect(outcome(() => acknowledged(twice, { offer: 1 }, T))).toBe('conflict');
    const taken = acknowledged(twice, { offer: 2 }, T);
    expect(beaten(taken, { ...first, offer: 1 }, T)).toBeUndefined();
    expect(outcome(() => stopped(taken, { offer: 1, force: true, byWorker: true }, T))).toBe('conflict');
    expect(beaten(taken, { ...first, offer: 2 }, T)).toMatchObject({ state: 'active' });
  });

  it('is kept by heartbeats that name the one before, at times that all differ', () => {
    const active = itemIn('active');
    const said = lastHeartbeat(active);
    expect(said).toBe(new Date(T + 2).toISOString());
    const next = beaten(active, { ...first, expected: said }, T + 2);
    expect(next).toMatchObject({ heartbeatAt: T + 3, leaseUntil: T + 2 + 10_000, startedAt: T + 2 });
    if (next === undefined) return;
    expect(beaten(next, { ...first, expected: said }, T + 4), 'an old one').toBeUndefined();
    expect(beaten(next, { ...first, expected: null }, T + 4), 'one that names none').toBeDefined();
  });

  it('whose lease is over is nobody’s, and its session is owed a word', () => {
    const active = itemIn('active');
    const until = active.leaseUntil ?? 0;
    expect(lapsed(active, until - 1)).toBe(active);
    const over = lapsed(active, until + 5);
    expect(over).toMatchObject({ state: 'queued', heartbeatAt: null, acknowledgedAt: null, lostAt: until });
    expect(isOffered(over, { now: until + 5, reclaimMs: 0 })).toBe(false);
    expect(isOffered({ ...over, lostAt: null }, { now: until + 5, reclaimMs: 0 })).toBe(true);
    expect(beaten(over, { ...first, expected: lastHeartbeat(active) }, until + 6)).toBeUndefined();
  });

  it.each(STATES)('that was %s and is over owes its session a word of when a worker had it', (state) => {
    const item = itemIn(state);
    if (state === 'stopped') return expect(item.lostAt).toBe(T + 3);
    const over = stopped(item, { ...nobody, force: true, byWorker: true }, T + 9);
    expect(over.lostAt).toBe(state === 'queued' ? 0 : T + 9);
    expect(withdrawn(itemIn('queued'), T).lostAt, 'it said so itself').toBeNull();
  });
});
