// Whether the environment of a run lets the MCP servers of its agents be reached: nobody is there to mend it later.
import type { DeploymentRow } from '@capstan/db/deployment-resource';
import { stores } from '@capstan/db/stores';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import { ApiError } from '@capstan/schema/error';
import { calledBy } from '@capstan/schema/roster';
import { parseAuthority, parseHostPattern, patternMatches, WEB_PORTS } from '@capstan/shared/hosts';
import type { SessionPorts } from '../v1/session-creation.ts';

/** Refuses (`mcp_egress_blocked`) the first server that is out of reach. An agent that is gone is none of its business. */
export async function requireMcpEgress({ db }: Pick<SessionPorts, 'db'>, row: DeploymentRow): Promise<void> {
  const { environments, sessions } = stores(db, row.tenantId);
  const agent = await sessions.agentFor({ id: row.agentId, version: row.agentVersion });
  if (agent === null) return;
  const servers = [agent, ...calledBy(agent.multiagent)].flatMap(({ mcp_servers }) => mcp_servers);
  if (servers.length === 0) return;
  const { config } = await environments.retrieve(row.environmentId);
  const blocked = servers.map(({ url }) => new URL(url)).find((url) => !isReachable(config, url));
  if (blocked === undefined) return;
  const mend = `Set networking.allow_mcp_servers, or add ${blocked.host} to networking.allowed_hosts`;
  throw new ApiError('invalid_request', `The environment does not let ${blocked.host} be reached. ${mend}`, {
    reason: 'mcp_egress_blocked',
  });
}

function isReachable(config: EnvironmentConfig, { host, protocol }: URL): boolean {
  if (config.type !== 'cloud' || config.networking.type === 'unrestricted') return true;
  const { allow_mcp_servers, allowed_hosts } = config.networking;
  if (allow_mcp_servers) return true;
  const target = parseAuthority(host, protocol === 'http:' ? 80 : 443);
  if (target === null) return false;
  return allowed_hosts.some((text) => patternMatches(parseHostPattern(text), target, WEB_PORTS));
}
