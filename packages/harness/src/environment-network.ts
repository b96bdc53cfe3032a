// Where the sandboxes of an environment may connect to: what it allows by name, and what its settings stand for.
import { PACKAGE_HOSTS } from '@capstan/sandbox/egress/package-hosts';
import type { NetworkPolicy } from '@capstan/sandbox/port';
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { CloudConfig } from '@capstan/schema/environments';

export function networkOf(
  { networking }: CloudConfig,
  { mcp_servers: servers }: Pick<AgentSnapshot, 'mcp_servers'>,
): NetworkPolicy {
  if (networking.type === 'unrestricted') return { type: 'unrestricted' };
  const allowed = [
    ...networking.allowed_hosts,
    ...(networking.allow_package_managers ? PACKAGE_HOSTS : []),
    ...(networking.allow_mcp_servers ? servers.map(({ url }) => hostOf(url)) : []),
  ];
  return { type: 'limited', allowedHosts: [...new Set(allowed)].toSorted() };
}

function hostOf(url: string): string {
  const { hostname, port } = new URL(url);
  return port === '' ? hostname : `${hostname}:${port}`;
}
