// Tools as the Console speaks of them.
import type { Agent, AgentSnapshot } from '@capstan/schema/agents';
import type { BuiltInTool, PermissionPolicy, ToolParam } from '@capstan/schema/tools';

/** The built-in tools a form offers; the schema's list has others that this server does not run. */
export const OFFERED = [
  { name: 'bash', what: 'run commands' },
  { name: 'read', what: 'read files' },
  { name: 'write', what: 'write files' },
  { name: 'edit', what: 'change files' },
  { name: 'glob', what: 'find files' },
  { name: 'grep', what: 'search in files' },
] as const satisfies { name: BuiltInTool; what: string }[];

export type Offered = (typeof OFFERED)[number]['name'];

/** What may happen to a tool call, as a form offers it. */
export const POLICIES = [
  { type: 'always_allow', label: 'Run it', what: 'without asking anybody' },
  {
    type: 'auto',
    label: 'Judge it',
    what: 'the model runs what is harmless, refuses what is not, and asks you in doubt',
  },
  { type: 'always_ask', label: 'Ask me', what: 'and wait for the answer' },
] as const satisfies { type: PermissionPolicy['type']; label: string; what: string }[];

export type Policy = (typeof POLICIES)[number]['type'];

/** One toolset with just the chosen tools; none chosen: no toolset. */
export function toToolset(chosen: readonly Offered[], policy: Policy): ToolParam[] {
  if (chosen.length === 0) return [];
  return [
    {
      type: 'agent_toolset_20260401',
      default_config: { enabled: false },
      configs: chosen.map((name) => ({ name, enabled: true, permission_policy: { type: policy } })),
    },
  ];
}

/** Names of what an agent may use, in the order of its definition. */
export function toolNames(agent: Pick<Agent | AgentSnapshot, 'tools'>): string[] {
  return agent.tools.flatMap((tool) => {
    if (tool.type === 'custom') return [tool.name];
    if (tool.type === 'mcp_toolset') return [`${tool.mcp_server_name} (MCP)`];
    if (tool.default_config.enabled) {
      const off = new Set<string>(tool.configs.filter((config) => !config.enabled).map(({ name }) => name));
      return OFFERED.map(({ name }) => name).filter((name) => !off.has(name));
    }
    return tool.configs.filter((config) => config.enabled).map(({ name }) => name);
  });
}
