// Events: the entries of a session's log, one discriminated union (spec §6), and the routes that send, list and stream them.
import { z } from 'zod';
import { agentEvents } from './events/agent-events.ts';
import { eventDelta, eventStart, previewable } from './events/previews.ts';
import { sandboxEvents } from './events/sandbox-events.ts';
import { sessionEvents } from './events/session-events.ts';
import { spanEvents, workflowEvents } from './events/span-events.ts';
import { eventParam, userEvents } from './events/user-events.ts';
import { idSchema } from './ids.ts';
import { createdAtBounds, order, pageOf, pageQuery, queryInteger } from './page.ts';
import { CREDENTIALS, defineRoute } from './route.ts';

const logged = [
  ...userEvents,
  ...agentEvents,
  ...sessionEvents,
  ...sandboxEvents,
  ...spanEvents,
  ...workflowEvents,
] as const;

/** An event as the log keeps it and every list and stream shows it. */
export const sessionEvent = z.discriminatedUnion('type', logged).meta({ id: 'SessionEvent' });
export type SessionEvent = z.infer<typeof sessionEvent>;
export type EventType = SessionEvent['type'];
export type EventOf<T extends EventType> = Extract<SessionEvent, { type: T }>;

/** What a stream carries: logged events and, when asked for, previews. */
export const streamEvent = z.discriminatedUnion('type', [...logged, eventStart, eventDelta]);
export type StreamEvent = z.infer<typeof streamEvent>;

/** Names `types[]` accepts: `session.deleted` is never in a list. */
export const EVENT_TYPES = logged
  .map((event) => event.shape.type.value)
  .filter((type) => type !== 'session.deleted');

export const MAX_EVENTS_PER_SEND = 100;
/** Of one event as JSON, in UTF-8. */
export const MAX_EVENT_BYTES = 8 * 1024 * 1024;

export const eventListQuery = pageQuery({ default: 1000, max: 1000 }).extend({
  order: order.default('asc'),
  types: z.array(z.enum(EVENT_TYPES)).optional(),
  ...createdAtBounds,
});
export type EventListQuery = z.infer<typeof eventListQuery>;

export const eventStreamQuery = z.object({
  event_deltas: z.array(previewable).max(100).optional(),
  after: queryInteger({ min: 0 }).optional(),
});
export type EventStreamQuery = z.infer<typeof eventStreamQuery>;

const tag = 'Events';
const params = z.object({ session_id: idSchema('session') });

export const eventRoutes = {
  send: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/events',
    operationId: 'sendEvents',
    summary: 'Send events: all are accepted, or none',
    tag,
    access: 'key',
    callers: CREDENTIALS,
    once: true,
    params,
    body: z.object({ events: z.array(eventParam).min(1).max(MAX_EVENTS_PER_SEND) }),
    response: z.object({ data: z.array(sessionEvent) }),
    errors: ['not_found', 'conflict', 'too_large'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/events',
    operationId: 'listEvents',
    summary: 'List events in the order the agent saw them',
    tag,
    access: 'key',
    callers: CREDENTIALS,
    params,
    query: eventListQuery,
    response: pageOf(sessionEvent),
    errors: ['not_found'],
  }),
  stream: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/events/stream',
    operationId: 'streamEvents',
    summary: 'Stream events as they happen; `Last-Event-ID` or `after` replays from there first',
    tag,
    access: 'key',
    callers: CREDENTIALS,
    params,
    query: eventStreamQuery,
    response: streamEvent,
    stream: true,
    errors: ['not_found'],
  }),
};
