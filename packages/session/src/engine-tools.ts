// The tools that the engine itself performs for a thread, offered beside its agent's own.
import type { AgentSnapshot } from '@capstan/schema/agents';
import { delegationTools } from './delegation.ts';
import type { EngineTool } from './harness.ts';
import type { ThreadState } from './state.ts';
import { workflowTools } from './workflow/run-tools.ts';

export function engineTools(agent: Pick<AgentSnapshot, 'multiagent'>, thread: ThreadState): EngineTool[] {
  return [...delegationTools(agent, thread), ...workflowTools(agent, thread)];
}
