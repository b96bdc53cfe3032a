// Lists of domains: a host and everything below it, for searches also with the beginning of a path.

export interface DomainRules {
  allowed_domains?: readonly string[] | undefined;
  blocked_domains?: readonly string[] | undefined;
}

export function isAllowed(
  url: URL,
  { allowed_domains: allowed, blocked_domains: blocked }: DomainRules,
): boolean {
  if (blocked?.some((entry) => isIn(url, entry))) return false;
  return allowed === undefined || allowed.some((entry) => isIn(url, entry));
}

function isIn({ hostname, pathname }: URL, entry: string): boolean {
  const slash = entry.indexOf('/');
  const domain = slash < 0 ? entry : entry.slice(0, slash);
  const host = hostname.toLowerCase().replace(/\.$/, '');
  if (host !== domain && !host.endsWith(`.${domain}`)) return false;
  const path = slash < 0 ? '' : entry.slice(slash).replace(/\/$/, '');
  return path === '' || pathname === path || pathname.startsWith(`${path}/`);
}
