// What has to hold between the parts of an agent, wherever they come from: the agent itself, what a session overrides at
// its creation, or a change of a session's tools.
import type { ThreadAgent } from './agents.ts';
import { ApiError } from './error.ts';
import { mcpMismatch } from './mcp-servers.ts';
import { builtInSettings } from './tools.ts';

type Parts = Pick<ThreadAgent, 'tools' | 'mcp_servers' | 'skills'>;

/** Refuses (`invalid_request`) parts that do not fit each other; `at` is where they were given, e.g. `agent.`. */
export function requireConsistent({ tools, mcp_servers, skills }: Parts, at = ''): void {
  const mismatch = mcpMismatch(tools, mcp_servers);
  if (mismatch !== null) throw new ApiError('invalid_request', `${at}${mismatch.path}: ${mismatch.message}`);
  if (skills.length === 0 || builtInSettings(tools, 'read') !== null) return;
  const hint = 'are read with the tool "read"; enable it in tools, or leave the skills out';
  throw new ApiError('invalid_request', `${at}skills: ${hint}`);
}
