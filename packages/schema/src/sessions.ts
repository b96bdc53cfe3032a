// Sessions: one durable conversation of an agent in an environment (spec §5.2).
import { z } from 'zod';
import { agentSnapshot, MAX_SYSTEM_CHARS, MAX_TOOLS, modelParam } from './agents.ts';
import { budget } from './budgets.ts';
import { initialEvents } from './events/user-events.ts';
import { exportLine } from './exports.ts';
import { idSchema } from './ids.ts';
import { mcpServersParam } from './mcp-servers.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { outcomeEvaluation } from './outcomes.ts';
import { createdAtBounds, order, pageQuery, queryBoolean, queryInteger, timestamp } from './page.ts';
import { resourceParams, sessionResource } from './resources.ts';
import { CREDENTIALS, defineRoute } from './route.ts';
import { skillParams } from './skills.ts';
import { toolParam } from './tools.ts';
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
    resources: z.array(sessionResource),
    vault_ids: z.array(z.string()),
    budget: budget.nullable(),
    outcome_evaluations: z.array(outcomeEvaluation),
    stats: z.object({ active_seconds: z.number(), duration_seconds: z.number() }),
    usage: sessionUsage,
    deployment_id: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof session>;

/** Vaults that one session may use (spec §5.2). */
export const MAX_VAULTS = 50;

const title = z.string().max(512);

const named = { id: idSchema('agent'), version: z.int().min(1).optional() };

const agentReference = z.union([
  idSchema('agent'),
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('agent'), ...named }),
    /** What is absent is as the agent has it; what is given replaces the whole, for this session alone (spec §8.8). */
    z.object({
      type: z.literal('agent_with_overrides'),
      ...named,
      model: modelParam.nullish(),
      system: z.string().max(MAX_SYSTEM_CHARS).nullish(),
      tools: z.array(toolParam).max(MAX_TOOLS).nullish(),
      mcp_servers: mcpServersParam.nullish(),
      skills: skillParams.nullish(),
    }),
  ]),
]);
export type AgentReferenceParam = z.infer<typeof agentReference>;

export const createSession = z
  .object({
    agent: agentReference.optional(),
    /** The classic spelling of `agent`. */
    agent_id: idSchema('agent').optional(),
    /** Absent: the tenant's default environment. */
    environment_id: idSchema('environment').nullish(),
    title: title.nullish(),
    metadata: metadata.optional(),
    /** Whose credentials it may use. */
    vault_ids: z.array(z.string().min(1).max(128)).max(MAX_VAULTS).nullish(),
    resources: resourceParams.nullish(),
    /** Sent to the session as it is created; it then starts at once. */
    initial_events: initialEvents.nullish(),
    budget: budget.nullish(),
  })
  .refine((body) => body.agent !== undefined || body.agent_id !== undefined, {
    path: ['agent'],
    message: 'required: an agent id, or {"type":"agent","id":…}',
  })
  .meta({ id: 'CreateSession' });
export type CreateSession = z.infer<typeof createSession>;

/** What is absent stays as it is. */
export const updateSession = z
  .object({
    title: title.nullish(),
    metadata: metadataPatch.nullish(),
    /** An object replaces the budget or adds one, null removes it. */
    budget: budget.nullish(),
    vault_ids: z.null('cannot be changed after the session was created').optional(),
    /** Each list replaces the one there is, from the next turn on; the session has to be idle. */
    agent: z
      .object({
        tools: z.array(toolParam).max(MAX_TOOLS).nullish(),
        mcp_servers: mcpServersParam.nullish(),
      })
      .nullish(),
  })
  .meta({ id: 'UpdateSession' });
export type UpdateSession = z.infer<typeof updateSession>;

export const forkSession = z
  .object({
    /** The last event the new session takes over. */
    at: idSchema('event'),
    /** Absent: as the session that is forked has it. */
    title: title.nullish(),
    metadata: metadata.optional(),
    /** Absent: none, whatever the session that is forked has. */
    budget: budget.nullish(),
  })
  .meta({ id: 'ForkSession' });
export type ForkSession = z.infer<typeof forkSession>;

/** Our extension: a session that begins with the log of another. */
export const forkedSession = session
  .extend({
    capstan: z.object({
      forked_from: z.object({ session_id: idSchema('session'), event_id: idSchema('event') }),
      sandbox_snapshot: z.object({ id: z.string(), taken_at: timestamp }).nullable().meta({
        description:
          'The snapshot of the forked session’s sandbox that the new one begins with: the newest in which nothing was done after the event. Null: there is none, the new session begins with an empty sandbox.',
      }),
    }),
  })
  .meta({ id: 'ForkedSession' });
export type ForkedSession = z.infer<typeof forkedSession>;

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
      agent_version: queryInteger({ min: 1 }).optional(),
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
    callers: CREDENTIALS,
    params,
    response: session,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}',
    operationId: 'updateSession',
    summary: "Change a session's title, metadata, budget or tools",
    tag,
    access: 'key',
    params,
    body: updateSession,
    response: session,
    errors: ['not_found', 'conflict'],
  }),
  fork: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/fork',
    operationId: 'forkSession',
    summary: 'Create a session that begins with the log of this one, up to an event',
    tag,
    access: 'key',
    once: true,
    params,
    body: forkSession,
    response: forkedSession,
    errors: ['not_found'],
  }),
  export: defineRoute({
    method: 'get',
    path: '/v1/sessions/{session_id}/export',
    operationId: 'exportSession',
    summary: 'Export a session and its log as JSON lines',
    tag,
    access: 'key',
    params,
    response: exportLine,
    lines: true,
    errors: ['not_found'],
  }),
  prewarm: defineRoute({
    method: 'post',
    path: '/v1/sessions/{session_id}/prewarm',
    operationId: 'prewarmSession',
    summary: "Get the session's sandbox ready before it is needed",
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('session'), type: z.literal('session_prewarming') }),
    accepted: true,
    errors: ['not_found', 'conflict'],
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
