// Reach: what of the network users' URLs may get to, as an installation is configured. Nothing private unless it is named,
// and names are looked up over HTTPS unless that is switched off.
import { resolveOverHttps } from './dns-over-https.ts';
import { formatAuthority, parseAuthority } from './hosts.ts';
import type { Reach } from './safe-fetch.ts';

export interface ReachValues {
  ENVIRONMENT?: string;
  /** Places that are reached although they are private: `host:port`, separated by commas. */
  PRIVATE_HOSTS?: string;
  /** A resolver that answers in JSON; `off`: the text of a URL alone is judged. Development asks none unless told to. */
  DNS_OVER_HTTPS_URL?: string;
}

const RESOLVER = 'https://cloudflare-dns.com/dns-query';

/** `problems`: values that cannot be used, and are left out. */
export function reachFrom(values: ReachValues): { reach: Reach; problems: string[] } {
  const named = (values.PRIVATE_HOSTS ?? '').split(',').map((text) => text.trim());
  const given = named.filter((text) => text !== '');
  const read = given.map((text) => ({ text, target: parseAuthority(text) }));
  const wrong = read.filter(({ target }) => target === null).map(({ text }) => text);
  const problems = wrong.map((text) => `PRIVATE_HOSTS: ${JSON.stringify(text)} is not host:port`);
  const allowPrivate = read.flatMap(({ target }) => (target === null ? [] : [formatAuthority(target)]));
  const endpoint = values.DNS_OVER_HTTPS_URL || (values.ENVIRONMENT === 'development' ? 'off' : RESOLVER);
  if (endpoint === 'off') return { reach: { allowPrivate }, problems };
  if (URL.canParse(endpoint))
    return { reach: { allowPrivate, resolve: resolveOverHttps(endpoint) }, problems };
  const told = 'DNS_OVER_HTTPS_URL: is no URL; the default is asked instead';
  return { reach: { allowPrivate, resolve: resolveOverHttps(RESOLVER) }, problems: [...problems, told] };
}
