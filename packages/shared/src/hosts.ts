// Hosts: names and addresses as people and programs write them, in one canonical form, and the patterns that name them.
// Two texts that reach the same place have the same form: case, IDN, trailing dots, and IPv4 in octal, hex or one number.

export interface Host {
  kind: 'name' | 'ipv4' | 'ipv6';
  /** Lower-case ASCII without a trailing dot; IPv6 compressed and without brackets. */
  text: string;
}

export interface Target {
  host: Host;
  port: number;
}

/** `suffix` matches any depth below it, never itself; `any` matches every host. */
export interface HostPattern {
  kind: 'exact' | 'suffix' | 'any';
  text: string;
  /** Absent: the default ports of where the pattern is used. */
  port?: number;
}

/** The ports a pattern without one grants. */
export const WEB_PORTS: readonly number[] = [80, 443];

const MAX_NAME_LENGTH = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** What a URL parser would read as the end of the host, decode, or drop. */
const NOT_IN_A_HOST = /[\s\p{Cc}\p{Cf}/?#@\\%<>^|`{}"']/u;

/** The canonical host, or null when the text is none. Brackets belong to IPv6, as in a URL. */
export function parseHost(text: string): Host | null {
  if (text.length === 0 || text.length > 1024 || NOT_IN_A_HOST.test(text)) return null;
  const bracketed = text.startsWith('[');
  if (!bracketed && text.includes(':')) return null;
  const hostname = hostnameOf(text);
  if (hostname === null) return null;
  if (bracketed) return { kind: 'ipv6', text: hostname.slice(1, -1) };
  const name = hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return { kind: 'ipv4', text: name };
  return isName(name) ? { kind: 'name', text: name } : null;
}

/** `host:port` or `host`, as in CONNECT, Host and patterns; null when it is neither, or has no port and no default. */
export function parseAuthority(text: string, defaultPort?: number): Target | null {
  const [, hostText = '', portText] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = parseHost(hostText);
  const port = portText === undefined ? defaultPort : Number(portText);
  if (host === null || port === undefined || port < 1 || port > 65_535) return null;
  return { host, port };
}

/** The authority as a Host header writes it: IPv6 in brackets, the port unless it is the default. */
export function formatAuthority({ host, port }: Target, defaultPort?: number): string {
  const text = host.kind === 'ipv6' ? `[${host.text}]` : host.text;
  return port === defaultPort ? text : `${text}:${port}`;
}

/** `api.example.com`, `*.example.com`, `203.0.113.5`, `[2001:db8::1]`, each optionally with `:port`. Throws RangeError that says what is wrong. */
export function parseHostPattern(text: string): HostPattern {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) throw wrong(text, 'leave out the scheme');
  if (text.includes('/')) throw wrong(text, 'leave out the path');
  const wildcard = text.startsWith('*.');
  const rest = wildcard ? text.slice(2) : text;
  if (rest.includes('*'))
    throw wrong(text, 'a * stands only for all labels at the start, as in *.example.com');
  const target = parseAuthority(rest, 443);
  if (target === null) throw wrong(text, 'write a host name, an address or *.suffix, optionally with :port');
  const port = /:\d+$/.test(rest.replace(/^\[[^\]]*\]/, '')) ? { port: target.port } : {};
  if (!wildcard) return { kind: 'exact', text: target.host.text, ...port };
  if (target.host.kind !== 'name') throw wrong(text, 'an address has no names below it');
  if (!target.host.text.includes('.')) throw wrong(text, 'a suffix has at least two labels');
  return { kind: 'suffix', text: target.host.text, ...port };
}

export function patternMatchesHost(pattern: HostPattern, host: Host): boolean {
  if (pattern.kind === 'any') return true;
  if (pattern.kind === 'exact') return pattern.text === host.text;
  return host.kind === 'name' && host.text.endsWith(`.${pattern.text}`);
}

export function patternMatches(
  pattern: HostPattern,
  target: Target,
  defaultPorts: readonly number[],
): boolean {
  const ports = pattern.port === undefined ? defaultPorts : [pattern.port];
  return ports.includes(target.port) && patternMatchesHost(pattern, target.host);
}

/** Below 1024 live mail, remote shells and file shares: what one could abuse others with rather than work with. */
export function isOrdinaryPort(port: number): boolean {
  return WEB_PORTS.includes(port) || port >= 1024;
}

function hostnameOf(text: string): string | null {
  try {
    // The URL standard's host parser: IDNA, IPv4 in all its spellings, IPv6 compressed. Anything around a host is refused above.
    return new URL(`http://${text}/`).hostname;
  } catch {
    return null;
  }
}

function isName(name: string): boolean {
  return name.length <= MAX_NAME_LENGTH && name.split('.').every((label) => LABEL.test(label));
}

function wrong(text: string, mend: string): RangeError {
  return new RangeError(`"${text.slice(0, 100)}" is not a host pattern: ${mend}`);
}
