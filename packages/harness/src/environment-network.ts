// Where the sandboxes of an environment may connect to: what it allows by name, and what its settings stand for.
import { PACKAGE_HOSTS } from '@capstan/sandbox/egress/package-hosts';
import type { NetworkPolicy } from '@capstan/sandbox/port';
import type { AgentSnapshot } from '@capstan/schema/agents';
import type { CloudConfig } from '@capstan/schema/environments';
import { parseAuthority, parseHostPattern, patternMatches, WEB_PORTS } from '@capstan/shared/hosts';

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

/** Whether such a network lets this URL through. */
export function networkPermits(network: NetworkPolicy, url: URL): boolean {
  if (network.type !== 'limited') return network.type === 'unrestricted';
  const target = parseAuthority(url.host, url.protocol === 'http:' ? 80 : 443);
  if (target === null) return false;
  return network.allowedHosts.some((text) => patternMatches(parseHostPattern(text), target, WEB_PORTS));
}

function hostOf(url: string): string {
  const { hostname, port } = new URL(url);
  return port === '' ? hostname : `${hostname}:${port}`;
}
