// A network policy as Modal takes it. With an egress proxy a sandbox may reach that alone, and the proxy decides; without
// one Modal's own allowlist decides, which knows hosts and no ports.
import { SandboxError } from '../error.ts';
import type { NetworkPolicy } from '../port.ts';

/** Where the egress proxy is, as a sandbox sees it. */
export interface ProxyAddress {
  cidrs: readonly string[];
  domains: readonly string[];
}

/** `everything`, or the only addresses and hosts that may be connected to. */
export type Access = 'everything' | { cidrs: string[]; domains: string[] };

const NOTHING: Access = { cidrs: [], domains: [] };
/** What Modal opens when a host is allowed. */
const WEB_PORTS = ['80', '443'];

/** Throws `invalid` for a port that cannot be told to Modal. */
export function toAccess(network: NetworkPolicy, proxy?: ProxyAddress): Access {
  if (network.type === 'blocked') return NOTHING;
  if (proxy) return { cidrs: [...proxy.cidrs], domains: [...proxy.domains] };
  if (network.type === 'unrestricted') return 'everything';
  return { cidrs: [], domains: [...new Set(network.allowedHosts.map(toDomain))] };
}

function toDomain(host: string): string {
  const [domain = '', port] = host.split(':');
  if (port === undefined || WEB_PORTS.includes(port)) return domain;
  throw new SandboxError(
    'invalid',
    `network: "${host}" has a port that only the egress proxy can allow: configure it, or leave the port out`,
  );
}

/** For a sandbox that is made. */
export function toCreateParams(network: NetworkPolicy, proxy?: ProxyAddress) {
  if (network.type === 'blocked') return { blockNetwork: true };
  const access = toAccess(network, proxy);
  if (access === 'everything') return {};
  return { outboundCidrAllowlist: access.cidrs, outboundDomainAllowlist: access.domains };
}

/** For a sandbox that runs. */
export function toUpdateParams(network: NetworkPolicy, proxy?: ProxyAddress) {
  const access = toAccess(network, proxy);
  if (access === 'everything') {
    return { outboundCidrAllowlist: ['0.0.0.0/0', '::/0'], outboundDomainAllowlist: ['*'] };
  }
  return { outboundCidrAllowlist: access.cidrs, outboundDomainAllowlist: access.domains };
}
