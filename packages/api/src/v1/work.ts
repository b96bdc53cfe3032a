// The work queues of self-hosted environments over HTTP: the queue decides, here is only the translation and the token that
// goes with what is given to a worker.
import { pageById } from '@capstan/db/cursor';
import { stores } from '@capstan/db/stores';
import { toTimestamp } from '@capstan/db/timestamp';
import { ApiError } from '@capstan/schema/error';
import {
  type Heartbeat,
  MAX_WORKER_ID_CHARS,
  WORKER_ID_HEADER,
  type Work,
  workRoutes,
} from '@capstan/schema/work';
import { LEASE_SECONDS, RECLAIM_MS, type WorkItem } from '@capstan/session/work/work-item';
import type { EnvironmentAddress, Pulse } from '@capstan/session/work/work-queues';
import { toBase64Url } from '../auth/digest.ts';
import type { Principal } from '../call.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

interface Asked {
  principal: Principal;
  params: { environment_id: string };
}

export function mountWork(surface: Surface): void {
  mountHolding(surface);
  mountLooking(surface);
}

/** What workers do: take an item, keep it, let it go. */
function mountHolding(surface: Surface): void {
  const { work } = surface.ports;

  mount(surface, workRoutes.poll, async (call) => {
    const queue = await queueOf(surface, call);
    // A look is no worker's.
    if (call.request.method === 'HEAD') return null;
    const { block_ms: blockMs = 0, reclaim_older_than_ms: reclaimMs = RECLAIM_MS } = call.query;
    const workerId = workerIdOf(call.request);
    const item = await work.pollWork(queue, { workerId, blockMs, reclaimMs });
    if (item === null) return null;
    const { id: workId, sessionId, offer } = item;
    const given = { workId, sessionId, offer };
    const token = await surface.gate.workers.tokenFor(call.principal, queue.environmentId, given);
    return toWork(item, queue, toSecret(token));
  });

  mount(surface, workRoutes.ack, async (call) => {
    const queue = await queueOf(surface, call);
    return toWork(await work.ackWork(queue, call.params.work_id, offerOf(call.principal)), queue);
  });

  mount(surface, workRoutes.heartbeat, async (call) => {
    const { desired_ttl_seconds = LEASE_SECONDS, expected_last_heartbeat = null } = call.query;
    const queue = await queueOf(surface, call);
    const beat = {
      expected: expected_last_heartbeat,
      ttlSeconds: desired_ttl_seconds,
      offer: offerOf(call.principal),
    };
    return toHeartbeat(await work.beatWork(queue, call.params.work_id, beat));
  });

  mount(surface, workRoutes.stop, async (call) => {
    const queue = await queueOf(surface, call);
    const byWorker = call.principal.worker !== undefined;
    const stopping = { force: call.body.force ?? false, byWorker, offer: offerOf(call.principal) };
    return toWork(await work.stopWork(queue, call.params.work_id, stopping), queue);
  });
}

function mountLooking(surface: Surface): void {
  const { work } = surface.ports;

  mount(surface, workRoutes.stats, async (call) => {
    const { depth, pending, oldestQueuedAt, workersPolling } = await work.workStats(
      await queueOf(surface, call),
    );
    return {
      type: 'work_queue_stats' as const,
      depth,
      pending,
      oldest_queued_at: oldestQueuedAt === null ? null : toTimestamp(oldestQueuedAt),
      workers_polling: workersPolling,
    };
  });

  mount(surface, workRoutes.list, async (call) => {
    const queue = await queueOf(surface, call);
    const { tenantId, environmentId } = queue;
    const listing = { list: `work:${environmentId}`, tenantId, order: 'desc' as const, ...call.query };
    const { rows, next } = await pageById(listing, (before, take) => work.listWork(queue, { before, take }));
    return { data: rows.map((item) => toWork(item, queue)), next_page: next };
  });

  mount(surface, workRoutes.retrieve, async (call) => {
    const queue = await queueOf(surface, call);
    return toWork(await work.findWork(queue, call.params.work_id), queue);
  });

  mount(surface, workRoutes.update, async (call) => {
    const queue = await queueOf(surface, call);
    return toWork(await work.updateWork(queue, call.params.work_id, call.body.metadata), queue);
  });
}

/** A worker's key names its environment; anybody else has to name one there is. */
async function queueOf(
  { ports: { db } }: Surface,
  { principal, params }: Asked,
): Promise<EnvironmentAddress> {
  const { tenantId, worker } = principal;
  const environmentId = params.environment_id;
  if (worker === undefined) await stores(db, tenantId).environments.retrieve(environmentId);
  return { tenantId, environmentId };
}

function offerOf({ worker }: Principal): number | null {
  return worker?.item?.offer ?? null;
}

function workerIdOf({ headers }: Request): string | null {
  const id = headers.get(WORKER_ID_HEADER);
  if (id === null || id === '') return null;
  if (id.length <= MAX_WORKER_ID_CHARS) return id;
  throw new ApiError('invalid_request', `${WORKER_ID_HEADER}: at most ${MAX_WORKER_ID_CHARS} characters`);
}

function toSecret(sessionsToken: string): string {
  const json = JSON.stringify({ sessions_token: sessionsToken });
  return toBase64Url(new TextEncoder().encode(json));
}

function toWork(item: WorkItem, { environmentId }: EnvironmentAddress, secret: string | null = null): Work {
  return {
    id: item.id,
    type: 'work',
    environment_id: environmentId,
    data: { type: 'session', id: item.sessionId },
    state: item.state,
    metadata: item.metadata,
    secret,
    created_at: toTimestamp(item.createdAt),
    acknowledged_at: toInstant(item.acknowledgedAt),
    started_at: toInstant(item.startedAt),
    latest_heartbeat_at: toInstant(item.heartbeatAt),
    stop_requested_at: toInstant(item.stopRequestedAt),
    stopped_at: toInstant(item.stoppedAt),
  };
}

/** Refuses (`precondition_failed`) a beat that is not the holder's. */
function toHeartbeat({ item, extended, refused }: Pulse): Heartbeat {
  const last = toInstant(item.heartbeatAt);
  const { state, ttlSeconds: ttl_seconds } = item;
  if (refused) {
    throw new ApiError('precondition_failed', `${item.id} is not held by whoever sent this heartbeat`, {
      reason: 'heartbeat_precondition_failed',
      details: { current_state: { last_heartbeat: last, lease_extended: false, state, ttl_seconds } },
    });
  }
  return { type: 'work_heartbeat', last_heartbeat: last ?? '', lease_extended: extended, state, ttl_seconds };
}

function toInstant(ms: number | null): string | null {
  return ms === null ? null : toTimestamp(ms);
}
