// One item of work: a session that a worker of the user's own is to serve, and how workers take it, hold it and let it go.
//
//   queued ──poll, ack──► starting ──first heartbeat──► active ──stop──► stopping ──stop by force──► stopped
//      ▲                     │                             │                 └── lease over ──► stopped
//      └───── lease over ────┴─────────────────────────────┘
//
// W1. Pure: time comes in. A transition that is not possible is refused, with the state that stands in its way.
// W2. An offer has a number. Whoever has a token of an earlier offer, or a heartbeat that is not the last one, is refused:
//     of two workers that take themselves for the holder, at most one can go on.
// W3. What is held has a lease; when that is over, the item is nobody's.
import { ApiError } from '@capstan/schema/error';
import type { Metadata } from '@capstan/schema/metadata';
import type { WorkState } from '@capstan/schema/work';
import { toTimestamp } from '../entry.ts';

/** Instants are epoch ms. */
export interface WorkItem {
  id: string;
  sessionId: string;
  state: WorkState;
  metadata: Metadata;
  createdAt: number;
  /** Since when it waits for a worker: the oldest is offered first. */
  queuedAt: number;
  /** When it was last given to a poll, while nobody has acknowledged that. */
  offeredAt: number | null;
  /** How often it was given to a poll. */
  offer: number;
  acknowledgedAt: number | null;
  startedAt: number | null;
  heartbeatAt: number | null;
  /** Until when its holder has it, unless a heartbeat says otherwise. */
  leaseUntil: number | null;
  ttlSeconds: number;
  stopRequestedAt: number | null;
  stoppedAt: number | null;
  /** A worker had it until then (0: none had), it is over or offered anew, and its session was not told. */
  lostAt: number | null;
}

export const LEASE_SECONDS = 90;
export const RECLAIM_MS = 5_000;
export const NO_HEARTBEAT = 'NO_HEARTBEAT';

export function newItem(made: { id: string; sessionId: string; now: number }): WorkItem {
  const { id, sessionId, now } = made;
  return {
    id,
    sessionId,
    state: 'queued',
    metadata: {},
    createdAt: now,
    queuedAt: now,
    offeredAt: null,
    offer: 0,
    acknowledgedAt: null,
    startedAt: null,
    heartbeatAt: null,
    leaseUntil: null,
    ttlSeconds: LEASE_SECONDS,
    stopRequestedAt: null,
    stoppedAt: null,
    lostAt: null,
  };
}

/** Whether a poll may have it: it is nobody's, its session knows that, and no earlier poll may still acknowledge it. */
export function isOffered(item: WorkItem, { now, reclaimMs }: { now: number; reclaimMs: number }): boolean {
  if (item.state !== 'queued' || item.lostAt !== null) return false;
  return item.offeredAt === null || item.offeredAt + reclaimMs <= now;
}

export function given(item: WorkItem, now: number): WorkItem {
  return { ...item, offeredAt: now, offer: item.offer + 1 };
}

/** Who asks: `offer` is the number of the offer that its token is of; null: it has no token of an offer. */
export interface Holder {
  offer: number | null;
}

/** Refuses (`conflict`) what was not given to a poll, or is somebody's already. */
export function acknowledged(item: WorkItem, holder: Holder, now: number): WorkItem {
  if (item.state !== 'queued') {
    throw new ApiError('conflict', `${item.id} is ${item.state}: it was acknowledged already`);
  }
  if (item.offeredAt === null || !isOf(item, holder)) {
    throw new ApiError('conflict', `${item.id} is not yours to acknowledge: poll for it first`);
  }
  const leaseUntil = now + LEASE_SECONDS * 1_000;
  return { ...item, state: 'starting', offeredAt: null, acknowledgedAt: now, leaseUntil };
}

export interface Beat extends Holder {
  /** The last heartbeat's time as it was answered, NO_HEARTBEAT for the first; null: whatever it was. */
  expected: string | null;
  ttlSeconds: number;
}

/** Undefined: the beat is not the holder's. An item that is to stop, or has, is left as it is, but for its lease. */
export function beaten(item: WorkItem, beat: Beat, now: number): WorkItem | undefined {
  if (item.state === 'stopped') return item;
  if (!isOf(item, beat) || item.state === 'queued') return undefined;
  const { expected, ttlSeconds } = beat;
  if (item.state !== 'stopping' && expected !== null && expected !== lastHeartbeat(item)) return undefined;
  // No two of them at one time: the time is what tells them apart.
  const heartbeatAt = Math.max(now, (item.heartbeatAt ?? 0) + 1);
  return {
    ...item,
    state: item.state === 'stopping' ? 'stopping' : 'active',
    startedAt: item.startedAt ?? now,
    heartbeatAt,
    leaseUntil: now + ttlSeconds * 1_000,
    ttlSeconds,
  };
}

export interface Stopping extends Holder {
  force: boolean;
  /** A worker asks, who need not be told that it is to stop. */
  byWorker: boolean;
}

/** Refuses (`conflict`) what is stopped, and a worker that does not hold it. */
export function stopped(item: WorkItem, { force, byWorker, ...holder }: Stopping, now: number): WorkItem {
  if (item.state === 'stopped') throw new ApiError('conflict', `${item.id} is stopped already`);
  if (!isOf(item, holder)) throw new ApiError('conflict', `${item.id} is another worker's now`);
  const asked = { ...item, stopRequestedAt: item.stopRequestedAt ?? now };
  const nobodys = item.state === 'queued' || (byWorker && item.state === 'starting');
  if (!force && !nobodys) return { ...asked, state: 'stopping' };
  const over = ended(asked, now);
  // Its session may need a worker all the same.
  return { ...over, lostAt: over.lostAt ?? 0 };
}

/** What has become of it by itself: a holder whose lease is over has it no more. */
export function lapsed(item: WorkItem, now: number): WorkItem {
  if (!isHeld(item) || item.leaseUntil === null || item.leaseUntil > now) return item;
  if (item.state === 'stopping') return { ...ended(item, now), lostAt: item.leaseUntil };
  return {
    ...item,
    state: 'queued',
    queuedAt: now,
    offeredAt: null,
    acknowledgedAt: null,
    startedAt: null,
    heartbeatAt: null,
    leaseUntil: null,
    ttlSeconds: LEASE_SECONDS,
    lostAt: item.leaseUntil,
  };
}

/** Its session needs no worker any more; what a worker has, it keeps until it is done. */
export function withdrawn(item: WorkItem, now: number): WorkItem {
  return item.state === 'queued' ? ended(item, now) : item;
}

/** The heartbeat that the next one has to name. */
export function lastHeartbeat({ heartbeatAt }: WorkItem): string {
  return heartbeatAt === null ? NO_HEARTBEAT : toTimestamp(heartbeatAt);
}

export function isHeld({ state }: WorkItem): boolean {
  return state === 'starting' || state === 'active' || state === 'stopping';
}

function ended(item: WorkItem, now: number): WorkItem {
  const lostAt = isHeld(item) ? now : item.lostAt;
  return { ...item, state: 'stopped', stoppedAt: now, offeredAt: null, leaseUntil: null, lostAt };
}

/** Without a token nobody can tell; the heartbeat then has to. */
function isOf(item: WorkItem, { offer }: Holder): boolean {
  return offer === null || offer === item.offer;
}
