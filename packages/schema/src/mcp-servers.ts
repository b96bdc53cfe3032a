// MCP servers of an agent, and the rule that ties them to its toolsets (spec §4.2).
import { z } from 'zod';
import type { PermissionPolicy, Tool } from './tools.ts';

export const MAX_MCP_SERVERS = 20;
const MAX_URL_LENGTH = 2048;

export const mcpServer = z
  .object({
    type: z.literal('url'),
    name: z.string().min(1).max(255),
    url: z.url({ protocol: /^https?$/ }).max(MAX_URL_LENGTH),
  })
  .meta({
    id: 'McpServer',
    example: { type: 'url', name: 'linear', url: 'https://mcp.linear.app/mcp' },
  });
export type McpServer = z.infer<typeof mcpServer>;

export const mcpServersParam = z.array(mcpServer).max(MAX_MCP_SERVERS);

export interface Mismatch {
  /** Of the member that is wrong, as in `mcp_servers.0.name`. */
  path: string;
  message: string;
}

/** What does not fit together: names given twice, servers without a toolset, toolsets without a server. Null: nothing. */
export function mcpMismatch(tools: readonly Tool[], servers: readonly McpServer[]): Mismatch | null {
  const names = servers.map(({ name }) => name);
  const toolsets = tools.map((tool) => (tool.type === 'mcp_toolset' ? tool.mcp_server_name : null));
  for (const [index, name] of names.entries()) {
    const path = `mcp_servers.${index}.name`;
    if (names.indexOf(name) !== index) return { path, message: `a server named ${name} is given already` };
    if (toolsets.includes(name)) continue;
    const toolset = JSON.stringify({ type: 'mcp_toolset', mcp_server_name: name });
    return { path, message: `no toolset uses ${name}; add ${toolset} to tools, or leave the server out` };
  }
  for (const [index, name] of toolsets.entries()) {
    const path = `tools.${index}.mcp_server_name`;
    if (name === null) continue;
    if (toolsets.indexOf(name) !== index) return { path, message: `${name} has a toolset already` };
    if (!names.includes(name))
      return { path, message: `mcp_servers has no server named ${name}; add it there` };
  }
  return null;
}

/** What holds for one tool of a server, or null when the agent does not have it. */
export function mcpSettings(
  tools: readonly Tool[],
  { server, name }: { server: string; name: string },
): PermissionPolicy | null {
  for (const entry of tools) {
    if (entry.type !== 'mcp_toolset' || entry.mcp_server_name !== server) continue;
    const config = entry.configs.find((c) => c.name === name) ?? entry.default_config;
    if (config.enabled) return config.permission_policy;
  }
  return null;
}
