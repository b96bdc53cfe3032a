// The settings of an agent that only has to be there.
import type { AgentSettings } from './agent-settings.ts';

export function plainAgent(name: string, more: Partial<AgentSettings> = {}): AgentSettings {
  return {
    name,
    description: null,
    model: { id: 'some-model' },
    system: null,
    tools: [],
    mcp_servers: [],
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
    ...more,
  };
}
