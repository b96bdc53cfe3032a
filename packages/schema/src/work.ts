// The work queue of a self-hosted environment: sessions that wait for a worker of the user's own (spec §5.6).
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { pageOf, pageQuery, queryInteger, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const MAX_BLOCK_MS = 999;
export const MAX_RECLAIM_MS = 24 * 3_600_000;
/** A lease may be this long, in seconds. */
export const LEASE_BOUNDS = { min: 5, max: 3_600 } as const;
/** A worker says who it is in this header of its polls. */
export const WORKER_ID_HEADER = 'anthropic-worker-id';
export const MAX_WORKER_ID_CHARS = 256;

export const workState = z.enum(['queued', 'starting', 'active', 'stopping', 'stopped']);
export type WorkState = z.infer<typeof workState>;

export const work = z
  .object({
    id: idSchema('work'),
    type: z.literal('work'),
    environment_id: idSchema('environment'),
    data: z.object({ type: z.literal('session'), id: idSchema('session') }),
    state: workState,
    metadata,
    /** Only in the answer of a poll: base64url of `{"sessions_token":"sk-ant-req-…"}`. */
    secret: z.string().nullable(),
    created_at: timestamp,
    acknowledged_at: timestamp.nullable(),
    started_at: timestamp.nullable(),
    latest_heartbeat_at: timestamp.nullable(),
    stop_requested_at: timestamp.nullable(),
    stopped_at: timestamp.nullable(),
  })
  .meta({ id: 'Work' });
export type Work = z.infer<typeof work>;

export const heartbeat = z
  .object({
    type: z.literal('work_heartbeat'),
    /** The next heartbeat has to name it; empty: there was none. */
    last_heartbeat: z.union([timestamp, z.literal('')]),
    /** False: the caller does not hold the item any more. */
    lease_extended: z.boolean(),
    state: workState,
    ttl_seconds: z.int(),
  })
  .meta({ id: 'WorkHeartbeat' });
export type Heartbeat = z.infer<typeof heartbeat>;

export const queueStats = z
  .object({
    type: z.literal('work_queue_stats'),
    /** Items that wait for a worker. */
    depth: z.int(),
    /** Items that were given to a poll and not acknowledged. */
    pending: z.int(),
    oldest_queued_at: timestamp.nullable(),
    /** Workers that have polled within the last 30 seconds. */
    workers_polling: z.int().nullable(),
  })
  .meta({ id: 'WorkQueueStats' });

const tag = 'Work';
const ofEnvironment = z.object({ environment_id: idSchema('environment') });
const params = ofEnvironment.extend({ work_id: idSchema('work') });

export const workRoutes = {
  poll: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}/work/poll',
    operationId: 'pollWork',
    summary: 'Take the oldest item that is nobody’s; 204 when there is none',
    tag,
    access: 'key',
    callers: ['environment_key'],
    params: ofEnvironment,
    query: z.object({
      /** How long to wait for work; absent: not at all. */
      block_ms: queryInteger({ min: 1, max: MAX_BLOCK_MS }).optional(),
      /** What was given to a poll and not acknowledged for so long is offered again. */
      reclaim_older_than_ms: queryInteger({ min: 0, max: MAX_RECLAIM_MS }).optional(),
    }),
    response: work,
    empty: true,
    errors: ['not_found'],
  }),
  stats: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}/work/stats',
    operationId: 'retrieveWorkStats',
    summary: 'How much work waits, and how many workers poll',
    tag,
    access: 'key',
    callers: ['api_key', 'environment_key'],
    params: ofEnvironment,
    response: queueStats,
    errors: ['not_found'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}/work',
    operationId: 'listWork',
    summary: 'List work items, newest first; those that stopped are kept for 30 days',
    tag,
    access: 'key',
    callers: ['environment_key'],
    params: ofEnvironment,
    query: pageQuery({ default: 20, max: 100 }),
    response: pageOf(work),
    errors: ['not_found'],
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}/work/{work_id}',
    operationId: 'retrieveWork',
    summary: 'Retrieve a work item',
    tag,
    access: 'key',
    params,
    response: work,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/environments/{environment_id}/work/{work_id}',
    operationId: 'updateWork',
    summary: 'Change the metadata of a work item',
    tag,
    access: 'key',
    params,
    body: z.object({ metadata: metadataPatch }).meta({ id: 'UpdateWork' }),
    response: work,
    errors: ['not_found'],
  }),
  ack: defineRoute({
    method: 'post',
    path: '/v1/environments/{environment_id}/work/{work_id}/ack',
    operationId: 'acknowledgeWork',
    summary:
      'Acknowledge an item that a poll gave: from then on it is the caller’s, for as long as it sends heartbeats',
    tag,
    access: 'key',
    callers: ['environment_key', 'sessions_token'],
    params,
    response: work,
    errors: ['not_found', 'conflict'],
  }),
  heartbeat: defineRoute({
    method: 'post',
    path: '/v1/environments/{environment_id}/work/{work_id}/heartbeat',
    operationId: 'heartbeatWork',
    summary: 'Say that the item is still worked on, and learn whether it is to stop',
    tag,
    access: 'key',
    callers: ['environment_key', 'sessions_token'],
    params,
    query: z.object({
      /** Until when the next heartbeat has to come. */
      desired_ttl_seconds: queryInteger(LEASE_BOUNDS).optional(),
      /** NO_HEARTBEAT for the first one, then `last_heartbeat` of the one before; absent: whatever it was. */
      expected_last_heartbeat: z.string().max(64).optional(),
    }),
    response: heartbeat,
    errors: ['not_found', 'precondition_failed'],
  }),
  stop: defineRoute({
    method: 'post',
    path: '/v1/environments/{environment_id}/work/{work_id}/stop',
    operationId: 'stopWork',
    summary: 'Ask the worker to stop, which its next heartbeat tells it; by force, stop the item at once',
    tag,
    access: 'key',
    callers: ['api_key', 'environment_key', 'sessions_token'],
    params,
    body: z.object({ force: z.boolean().nullish() }).meta({ id: 'StopWork' }),
    response: work,
    errors: ['not_found', 'conflict'],
  }),
};
