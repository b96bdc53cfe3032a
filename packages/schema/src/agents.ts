// Agents: versioned configurations a session is started from (spec §5.1).
import { z } from 'zod';
import { agentOptions } from './agent-options.ts';
import { idSchema } from './ids.ts';
import { mcpServer, mcpServersParam } from './mcp-servers.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { type Multiagent, multiagent, multiagentOf, multiagentParam } from './multiagent.ts';
import { createdAtBounds, pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';
import { agentSkill, skillParams } from './skills.ts';
import { tool, toolParam } from './tools.ts';

const effortLevel = z.enum(['low', 'medium', 'high', 'xhigh', 'max']);
const modelId = z.string().min(1).max(256);
const speed = z.enum(['standard', 'fast']);
const inferenceGeo = z.enum(['us', 'global']);

export const modelParam = z.union([
  modelId,
  z.object({
    id: modelId,
    speed: speed.nullish(),
    inference_geo: inferenceGeo.nullish(),
    effort: z.union([effortLevel, z.object({ type: effortLevel })]).nullish(),
  }),
]);
export const model = z.object({
  id: modelId,
  speed: speed.optional(),
  inference_geo: inferenceGeo.optional(),
  effort: z.object({ type: effortLevel }).optional(),
});
export type Model = z.infer<typeof model>;
export type ModelParam = z.infer<typeof modelParam>;

export const MAX_SYSTEM_CHARS = 100_000;
export const MAX_TOOLS = 256;

/** No runs carry an identity of a cloud provider: there is nothing here that could assume one. */
const executionIdentity = z.object({
  type: z.literal('service_account', 'only "service_account" is supported: this server assumes no AWS roles'),
});

const definition = {
  id: idSchema('agent'),
  type: z.literal('agent'),
  version: z.int(),
  name: z.string(),
  description: z.string().nullable(),
  model,
  system: z.string().nullable(),
  tools: z.array(tool),
  mcp_servers: z.array(mcpServer),
  skills: z.array(agentSkill),
  execution_identity: executionIdentity,
  /** Our extension: what neither the model nor the tools say. Absent: nothing is set. */
  capstan: agentOptions.optional(),
};

/** The agent of one thread. Whom it may call is not said here: that is the session's affair. */
export const threadAgent = z.object(definition).meta({ id: 'ThreadAgent' });
export type ThreadAgent = z.infer<typeof threadAgent>;

/** The copy of an agent, and of those it may call, that a session keeps: later versions do not change it. */
export const agentSnapshot = z
  .object({
    ...definition,
    multiagent: multiagentOf(threadAgent).meta({ id: 'MultiagentSnapshot' }).nullable(),
  })
  .meta({ id: 'AgentSnapshot' });
export type AgentSnapshot = z.infer<typeof agentSnapshot>;

/** What of a session's agent can be changed. */
export type AgentTools = Pick<AgentSnapshot, 'tools' | 'mcp_servers'>;

/** One version of an agent: it never changes once it is stored. */
export type AgentDefinition = ThreadAgent & { multiagent: Multiagent | null };

export const agent = z
  .object({
    ...definition,
    multiagent: multiagent.nullable(),
    metadata,
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'Agent' });
export type Agent = z.infer<typeof agent>;

export const createAgent = z
  .object({
    name: z.string().min(1).max(256),
    model: modelParam,
    description: z.string().max(4096).nullish(),
    system: z.string().max(MAX_SYSTEM_CHARS).nullish(),
    tools: z.array(toolParam).max(MAX_TOOLS).nullish(),
    metadata: metadata.optional(),
    mcp_servers: mcpServersParam.nullish(),
    skills: skillParams.nullish(),
    multiagent: multiagentParam.nullish(),
    execution_identity: executionIdentity.nullish(),
    capstan: agentOptions.nullish(),
  })
  .meta({ id: 'CreateAgent' });
export type CreateAgent = z.infer<typeof createAgent>;

/** What is absent stays. */
export const updateAgent = z
  .object({
    /** The version the change is meant for: refused when another is current. Absent: whichever is. */
    version: z.int().min(1).optional(),
    name: z.string().min(1).max(256).optional(),
    model: modelParam.optional(),
    description: z.string().max(4096).nullish(),
    system: z.string().max(MAX_SYSTEM_CHARS).nullish(),
    tools: z.array(toolParam).max(MAX_TOOLS).nullish(),
    metadata: metadataPatch.nullish(),
    mcp_servers: mcpServersParam.nullish(),
    skills: skillParams.nullish(),
    multiagent: multiagentParam.nullish(),
    execution_identity: executionIdentity.nullish(),
    /** Replaces all of it; null clears. */
    capstan: agentOptions.nullish(),
  })
  .meta({ id: 'UpdateAgent' });
export type UpdateAgent = z.infer<typeof updateAgent>;

const tag = 'Agents';
const params = z.object({ agent_id: idSchema('agent') });

export const agentRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/agents',
    operationId: 'createAgent',
    summary: 'Create an agent',
    tag,
    access: 'key',
    once: true,
    body: createAgent,
    response: agent,
    errors: ['not_found', 'too_large'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/agents',
    operationId: 'listAgents',
    summary: 'List agents, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({
      include_archived: queryBoolean.default(false),
      ...createdAtBounds,
    }),
    response: pageOf(agent),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/agents/{agent_id}',
    operationId: 'retrieveAgent',
    summary: 'Retrieve an agent',
    tag,
    access: 'key',
    params,
    query: z.object({ version: z.coerce.number().int().min(1).optional() }),
    response: agent,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/agents/{agent_id}',
    operationId: 'updateAgent',
    summary: 'Change an agent: its next version, or none when nothing changes',
    tag,
    access: 'key',
    once: true,
    params,
    body: updateAgent,
    response: agent,
    errors: ['not_found', 'conflict', 'too_large'],
  }),
  versions: defineRoute({
    method: 'get',
    path: '/v1/agents/{agent_id}/versions',
    operationId: 'listAgentVersions',
    summary: "List an agent's versions, newest first",
    tag,
    access: 'key',
    params,
    query: pageQuery({ default: 20, max: 100 }),
    response: pageOf(agent),
    errors: ['not_found'],
  }),
  archive: defineRoute({
    method: 'post',
    path: '/v1/agents/{agent_id}/archive',
    operationId: 'archiveAgent',
    summary: 'Archive an agent: no new sessions, running ones go on',
    tag,
    access: 'key',
    params,
    response: agent,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/agents/{agent_id}',
    operationId: 'deleteAgent',
    summary: 'Delete an agent with its versions: sessions and rosters keep the copies they have',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('agent'), type: z.literal('agent_deleted') }),
    errors: ['not_found'],
  }),
};
