// Who has to agree before a tool call runs. Fails closed: what is not plainly allowed is asked, what is unknown is refused.
import type { ThreadAgent } from '@capstan/schema/agents';
import { mcpSettings } from '@capstan/schema/mcp-servers';
import { builtInSettings, builtInTool, type PermissionPolicy } from '@capstan/schema/tools';

/** `client`: a custom tool, whose result the client sends. `auto`: each call is judged. */
export type Permit = 'allow' | 'ask' | 'deny' | 'client' | 'auto';

/** `server`: the MCP server whose tool it is. */
export function permit({ tools }: ThreadAgent, { name, server }: { name: string; server?: string }): Permit {
  if (server !== undefined) return permitOf(mcpSettings(tools, { server, name }));
  if (tools.some((tool) => tool.type === 'custom' && tool.name === name)) return 'client';
  const builtIn = builtInTool.safeParse(name);
  return permitOf(builtIn.success ? builtInSettings(tools, builtIn.data) : null);
}

function permitOf(policy: PermissionPolicy | null): Permit {
  switch (policy?.type) {
    case undefined:
      return 'deny';
    case 'always_allow':
      return 'allow';
    case 'auto':
      return 'auto';
    default:
      return 'ask';
  }
}
