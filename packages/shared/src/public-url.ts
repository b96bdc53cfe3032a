// Public URLs: whether a URL that a user gave may be asked for, as far as its text tells. It tells of literal addresses in
// every spelling, of names that only mean something inside a network, of user names and odd ports; it does not tell what
// a name resolves to, which safe-fetch.ts asks where it can.
import { classifyAddress } from './addresses.ts';
import { formatAuthority, type Host, isOrdinaryPort, parseHost, type Target } from './hosts.ts';

export interface UrlRules {
  /** Exact `host:port` of places that are reached although they are private, over http too: for development and tests. */
  allowPrivate?: readonly string[];
  /** True: http is as good as https. */
  plainHttp?: boolean;
}

export type UrlFault =
  | 'malformed_url'
  | 'scheme_not_allowed'
  | 'credentials_in_url'
  | 'port_not_allowed'
  | 'address_not_public';

export type JudgedUrl = { url: URL; target: Target; exempt: boolean } | { fault: UrlFault; message: string };

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** The last labels under which nothing public is found (RFC 6761, 6762, 8375, ICANN's private use, and habit). */
const INSIDE =
  /(^|\.)(localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|test|invalid|onion)$/;

/** The URL, without its fragment and fit to be fetched, or what is wrong with it in words for whoever gave it. */
export function judgeUrl(given: string | URL, rules: UrlRules = {}): JudgedUrl {
  const url = parse(given);
  if (url === null) return fault('malformed_url', 'is no URL: write it like https://example.com/path');
  const port = DEFAULT_PORTS[url.protocol];
  const host = parseHost(url.hostname);
  if (port === undefined) return fault('scheme_not_allowed', `${url.protocol} is not fetched: use https`);
  if (url.username !== '' || url.password !== '')
    return fault('credentials_in_url', 'has a user name or password in it: leave them out');
  if (host === null) return fault('malformed_url', 'has no usable host name');
  url.hash = '';
  const target = { host, port: url.port === '' ? port : Number(url.port) };
  if (rules.allowPrivate?.includes(formatAuthority(target))) return { url, target, exempt: true };
  if (url.protocol === 'http:' && rules.plainHttp !== true)
    return fault('scheme_not_allowed', 'is not encrypted: use https');
  if (target.port === 0 || !isOrdinaryPort(target.port))
    return fault(
      'port_not_allowed',
      `port ${target.port} is not for the web: use 443, 80 or one from 1024 on`,
    );
  if (!isOutside(host))
    return fault('address_not_public', 'is on this machine or in a private network: it has to be public');
  return { url, target, exempt: false };
}

/** Null when nothing is wrong with it. */
export function urlProblem(given: string | URL, rules: UrlRules = {}): string | null {
  const judged = judgeUrl(given, rules);
  return 'fault' in judged ? judged.message : null;
}

/** A name of one label means something only where one is. */
function isOutside(host: Host): boolean {
  if (host.kind !== 'name') return classifyAddress(host.text) === 'public';
  return host.text.includes('.') && !INSIDE.test(host.text);
}

function parse(given: string | URL): URL | null {
  const text = String(given);
  // A URL parser drops these, and two parsers may then read two hosts.
  if (/[\s\p{Cc}\\]/u.test(text)) return null;
  return URL.parse(text);
}

function fault(kind: UrlFault, message: string): JudgedUrl {
  return { fault: kind, message };
}
