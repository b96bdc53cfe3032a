// Sessions: one durable conversation of an agent in an environment (spec §5.2).
import { z } from 'zod';
import { agentSnapshot } from './agents.ts';
import { idSchema } from './ids.ts';
import { metadata } from './metadata.ts';
import { notYet } from './not-yet.ts';
import { createdAtBounds, order, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';
import { sessionUsage } from './usage.ts';

export const sessionStatus = z.enum(['rescheduling', 'running', 'idle', 'terminated']);
export type SessionStatus = z.infer<typeof sessionStatus>;

export const session = z
  .object({
    id: idSchema('session'),
    type: z.literal('session'),
    agent: agentSnapshot,
    environment_id: idSchema('environment'),
    status: sessionStatus,
    title: z.string().nullable(),
    metadata,
    resources: z.array(z.unknown()).max(0),
    vault_ids: z.array(z.string()),
    budget: z.null(),
    outcome_evaluations: z.array(z.unknown()).max(0),
    stats: z.object({ active_seconds: z.number(), duration_seconds: z.number() }),
    usage: sessionUsage,
    deployment_id: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof session>;

const agentReference = z.union([
  idSchema('agent'),
  z.object({
    type: z.literal('agent'),
    id: idSchema('agent'),
    version: z.int().min(1).optional(),
  }),
]);

export const createSession = z
  .object({
    agent: agentReference.optional(),
    /** The classic spelling of `agent`. */
    agent_id: idSchema('agent').optional(),
    /** Absent: the tenant's default environment. */
    environment_id: idSchema('environment').nullish(),
    title: z.string().max(512).nullish(),
    metadata: metadata.optional(),
    vault_ids: notYet('vault_ids'),
    resources: notYet('resources'),
    initial_events: notYet('initial_events'),
    budget: z.null('budget is not supported by this server yet').optional(),
  })
  .refine((body) => body.agent !== undefined || body.agent_id !== undefined, {
    path: ['agent'],
    message: 'required: an agent id, or {"type":"agent","id":…}',
  })
  .meta({ id: 'CreateSession' });
export type CreateSession = z.infer<typeof createSession>;

const tag = 'Sessions';
const params = z.object({ session_id: idSchema('session') });

export const sessionRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/sessions',
    operationId: 'createSession',
    summary: 'Create a session',
    tag,
    access: 'key',
    once: true,
    body: createSession,
    response: session,
    errors: ['not_found', 'too_large'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/sessions',
    operationId: 'listSessions',
    summary: 'List sessions by creation time',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({
      agent_id: idSchema('agent').optional(),
      agent_version: z.coerce.number().int().min(1).optional(),
      deployment_id: z.string().min(1).optional(),
      memory_store_id: z.string().min(1).optional(),
      ...createdAtBounds,
      statuses: z.array(sessionStatus).optional(),
      order: order.default('desc'),
      include_archived: queryBoolean.default(false),
    }),
    response: z.object({
      data: z.array(session),
      next_page: z.string().nullable(),
      prev_page: z.string().nullable(),
    }),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}',
    operationId: 'retrieveSession',
    summary: 'Retrieve a session',
    tag,
    access: 'key',
    params,
    response: session,
    errors: ['not_found'],
  }),
  archive: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/archive',
    operationId: 'archiveSession',
    summary: 'Archive an idle session: its history stays readable, nothing more can be sent',
    tag,
    access: 'key',
    params,
    response: session,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/sessions/{session_id}',
    operationId: 'deleteSession',
    summary: 'Delete an idle session with its events and its sandbox',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('session'), type: z.literal('session_deleted') }),
    errors: ['not_found'],
  }),
};
