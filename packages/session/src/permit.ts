// Who has to agree before a tool call runs. Fails closed: what is not plainly allowed is asked, what is unknown is refused.
import type { ThreadAgent } from '@capstan/schema/agents';
import { builtInSettings, builtInTool } from '@capstan/schema/tools';

/** `client`: a custom tool, whose result the client sends. */
export type Permit = 'allow' | 'ask' | 'deny' | 'client';

export function permit(agent: ThreadAgent, toolName: string): Permit {
  if (agent.tools.some((tool) => tool.type === 'custom' && tool.name === toolName)) return 'client';
  const builtIn = builtInTool.safeParse(toolName);
  const policy = builtIn.success ? builtInSettings(agent.tools, builtIn.data) : null;
  if (policy === null) return 'deny';
  return policy.type === 'always_allow' ? 'allow' : 'ask';
}
