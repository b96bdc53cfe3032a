// Tools on an agent: the built-in toolset with per-tool settings, MCP toolsets and custom tools (spec §4).
import { z } from 'zod';
import {
  oneListOfDomains,
  type WebFetchSettings,
  type WebSearchSettings,
  webFetchParams,
  webFetchSettings,
  webSearchParams,
  webSearchSettings,
} from './web-tools.ts';

export const BUILT_IN_TOOLS = [
  'bash',
  'read',
  'write',
  'edit',
  'glob',
  'grep',
  'web_fetch',
  'web_search',
] as const;
export const builtInTool = z.enum(BUILT_IN_TOOLS);
export type BuiltInTool = z.infer<typeof builtInTool>;

export const permissionPolicy = z.discriminatedUnion('type', [
  z.object({ type: z.literal('always_allow') }),
  z.object({ type: z.literal('always_ask') }),
  z.object({ type: z.literal('auto') }),
]);
export type PermissionPolicy = z.infer<typeof permissionPolicy>;

const settings = { enabled: z.boolean().nullish(), permission_policy: permissionPolicy.nullish() };

const SANDBOX_TOOLS = ['bash', 'read', 'write', 'edit', 'glob', 'grep'] as const satisfies BuiltInTool[];

/** Repeated by clients that were given it in a response. */
const type = z.string().optional();
const toolConfigParam = z.discriminatedUnion('name', [
  z.object({ name: z.enum(SANDBOX_TOOLS), type, ...settings }),
  z
    .object({ name: z.literal('web_fetch'), type, ...settings, ...webFetchParams })
    .refine(oneListOfDomains.check, oneListOfDomains.error),
  z
    .object({ name: z.literal('web_search'), type, ...settings, ...webSearchParams })
    .refine(oneListOfDomains.check, oneListOfDomains.error),
]);
export type ToolConfigParam = z.infer<typeof toolConfigParam>;

export const agentToolsetParam = z.object({
  type: z.literal('agent_toolset_20260401'),
  default_config: z.object(settings).nullish(),
  configs: z.array(toolConfigParam).default([]),
});

export const mcpToolsetParam = z.object({
  type: z.literal('mcp_toolset'),
  mcp_server_name: z.string().min(1).max(255),
  default_config: z.object(settings).nullish(),
  configs: z.array(z.object({ name: z.string().min(1).max(128), ...settings })).default([]),
});

/** Tools that the engine itself performs: no agent can have one of its own by such a name. */
export const ENGINE_TOOL_NAMES = [
  'delegate',
  'consult_advisor',
  'start_workflow',
  'check_workflow',
  'stop_workflow',
  'grade_outcome',
  'judge_calls',
] as const;
const RESERVED: ReadonlySet<string> = new Set(ENGINE_TOOL_NAMES);

const propertyName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'a property name must be 1-64 letters, digits, "_", "." or "-"');

export const customToolParam = z.object({
  type: z.literal('custom'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, 'must be 1-128 letters, digits, "_" or "-"')
    .refine((name) => !name.startsWith('mcp__'), 'must not start with "mcp__"')
    .refine(
      (name) => !RESERVED.has(name),
      `is the name of a tool of the engine (${ENGINE_TOOL_NAMES.join(', ')}): choose another`,
    ),
  description: z.string().min(1),
  input_schema: z.looseObject({
    type: z.literal('object'),
    properties: z.record(propertyName, z.unknown()).nullish(),
    required: z.array(z.string()).nullish(),
  }),
});

/** `{"type":"bash"}` and its siblings: shorthand for a toolset with just those tools. */
const shorthandParam = z.object({ type: builtInTool, ...settings });

export const toolParam = z.discriminatedUnion('type', [
  agentToolsetParam,
  mcpToolsetParam,
  customToolParam,
  shorthandParam,
]);
export type ToolParam = z.infer<typeof toolParam>;

const filled = { enabled: z.boolean(), permission_policy: permissionPolicy };

const sandboxTool = z.enum(SANDBOX_TOOLS);
const toolConfig = z.discriminatedUnion('name', [
  z.object({ type: sandboxTool, name: sandboxTool, ...filled }),
  z.object({
    type: z.literal('web_fetch'),
    name: z.literal('web_fetch'),
    ...filled,
    ...webFetchSettings.shape,
  }),
  z.object({
    type: z.literal('web_search'),
    name: z.literal('web_search'),
    ...filled,
    ...webSearchSettings.shape,
  }),
]);
export type ToolConfig = z.infer<typeof toolConfig>;

export const agentToolset = z.object({
  type: z.literal('agent_toolset_20260401'),
  default_config: z.object(filled),
  configs: z.array(toolConfig),
});
export type AgentToolset = z.infer<typeof agentToolset>;

export const mcpToolset = z.object({
  type: z.literal('mcp_toolset'),
  mcp_server_name: z.string(),
  default_config: z.object(filled),
  configs: z.array(z.object({ name: z.string(), ...filled })),
});
export type McpToolset = z.infer<typeof mcpToolset>;
export const customTool = customToolParam;
export type CustomTool = z.infer<typeof customTool>;

/** A tool as responses and session snapshots show it: every setting filled. */
export const tool = z.discriminatedUnion('type', [agentToolset, mcpToolset, customTool]).meta({ id: 'Tool' });
export type Tool = z.infer<typeof tool>;

/** What holds for one built-in tool of an agent, or null when the agent does not have it. */
export function builtInSettings(tools: readonly Tool[], name: BuiltInTool): PermissionPolicy | null {
  for (const entry of tools) {
    if (entry.type !== 'agent_toolset_20260401') continue;
    const config = entry.configs.find((c) => c.name === name) ?? entry.default_config;
    if (config.enabled) return config.permission_policy;
  }
  return null;
}

/** What web_fetch is set to on these tools; nothing special when they do not say. */
export function webFetchOf(tools: readonly Tool[]): WebFetchSettings {
  const config = toolConfigs(tools).find((c) => c.name === 'web_fetch');
  return config?.name === 'web_fetch' ? config : { url_sources: null };
}

/** What web_search is set to on these tools; nothing special when they do not say. */
export function webSearchOf(tools: readonly Tool[]): WebSearchSettings {
  const config = toolConfigs(tools).find((c) => c.name === 'web_search');
  return config?.name === 'web_search' ? config : {};
}

function toolConfigs(tools: readonly Tool[]): ToolConfig[] {
  return tools.flatMap((entry) => (entry.type === 'agent_toolset_20260401' ? entry.configs : []));
}
