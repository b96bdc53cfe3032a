// Threads: the lines of work of a session, its own and those of the agents it called (spec §5.4).
import { z } from 'zod';
import { threadAgent } from './agents.ts';
import { eventListQuery, eventStreamQuery, sessionEvent, streamEvent } from './events.ts';
import { idSchema } from './ids.ts';
import { advisor } from './multiagent.ts';
import { pageOf, pageQuery, timestamp } from './page.ts';
import { defineRoute } from './route.ts';
import { sessionStatus } from './sessions.ts';
import { sessionUsage } from './usage.ts';

/** An agent that another wrote for one thread: it has no id and no versions. */
const inlineAgent = threadAgent
  .omit({ id: true, version: true })
  .extend({ type: z.literal('inline') })
  .meta({ id: 'InlineAgent' });

export const threadOwner = z.discriminatedUnion('type', [threadAgent, advisor, inlineAgent]);
export type ThreadOwner = z.infer<typeof threadOwner>;

export const thread = z
  .object({
    id: idSchema('thread'),
    type: z.literal('session_thread'),
    session_id: idSchema('session'),
    /** Null: the primary thread. */
    parent_thread_id: idSchema('thread').nullable(),
    agent: threadOwner,
    status: sessionStatus,
    /** Null until it first runs. */
    stats: z
      .object({
        active_seconds: z.number(),
        duration_seconds: z.number(),
        startup_seconds: z.number().optional(),
      })
      .nullable(),
    /** Null until it is first idle. */
    usage: sessionUsage.nullable(),
    workflow_run_id: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'Thread' });
export type Thread = z.infer<typeof thread>;

const tag = 'Threads';
const inSession = z.object({ session_id: idSchema('session') });
const params = inSession.extend({ thread_id: idSchema('thread') });

const stream = {
  method: 'get',
  tag,
  access: 'key',
  params,
  query: eventStreamQuery,
  response: streamEvent,
  stream: true,
  errors: ['not_found'],
} as const;

export const threadRoutes = {
  list: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/threads',
    operationId: 'listThreads',
    summary: "List a session's threads in the order of their creation, the primary one first",
    tag,
    access: 'key',
    params: inSession,
    query: pageQuery({ default: 1000, max: 1000 }).extend({ statuses: z.array(sessionStatus).optional() }),
    response: pageOf(thread),
    errors: ['not_found'],
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/threads/{thread_id}',
    operationId: 'retrieveThread',
    summary: 'Retrieve a thread',
    tag,
    access: 'key',
    params,
    response: thread,
    errors: ['not_found'],
  }),
  archive: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/threads/{thread_id}/archive',
    operationId: 'archiveThread',
    summary: 'Archive an idle thread: its history stays readable, and another can be started in its place',
    tag,
    access: 'key',
    params,
    response: thread,
    errors: ['not_found'],
  }),
  events: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/threads/{thread_id}/events',
    operationId: 'listThreadEvents',
    summary: "List a thread's events in the order its agent saw them",
    tag,
    access: 'key',
    params,
    query: eventListQuery,
    response: pageOf(sessionEvent),
    errors: ['not_found'],
  }),
  stream: defineRoute({
    ...stream,
    path: '/v1/sessions/{session_id}/threads/{thread_id}/stream',
    operationId: 'streamThread',
    summary: "Stream a thread's events as they happen; `Last-Event-ID` or `after` replays from there first",
  }),
  streamEvents: defineRoute({
    ...stream,
    path: '/v1/sessions/{session_id}/threads/{thread_id}/events/stream',
    operationId: 'streamThreadEvents',
    summary: 'The same stream, under the path a session has it under',
  }),
};
