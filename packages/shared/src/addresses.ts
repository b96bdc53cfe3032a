// Addresses: what kind of place an IP address is. Only `public` may be reached for a user or a sandbox; whatever is not known to be
// public is not, and an IPv6 address that carries an IPv4 one is refused as the tunnel it is.

export type AddressClass =
  | 'public'
  | 'unspecified'
  | 'loopback'
  | 'private'
  | 'link-local'
  | 'metadata'
  | 'shared'
  | 'multicast'
  | 'broadcast'
  | 'documentation'
  | 'benchmark'
  | 'reserved'
  | 'embedded-ipv4'
  | 'malformed';

type Range = readonly [cidr: string, kind: AddressClass];

/** The first match decides. IANA's special-purpose registry, and the metadata addresses of clouds outside link-local. */
const IPV4_RANGES: readonly Range[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.169.254/32', 'metadata'],
  ['169.254.170.2/32', 'metadata'],
  ['169.254.0.0/16', 'link-local'],
  ['10.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['100.100.100.200/32', 'metadata'],
  ['100.64.0.0/10', 'shared'],
  ['168.63.129.16/32', 'metadata'],
  ['192.0.0.192/32', 'metadata'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'documentation'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['192.31.196.0/24', 'reserved'],
  ['192.52.193.0/24', 'reserved'],
  ['192.88.99.0/24', 'reserved'],
  ['192.175.48.0/24', 'reserved'],
  ['198.18.0.0/15', 'benchmark'],
  ['224.0.0.0/4', 'multicast'],
  ['255.255.255.255/32', 'broadcast'],
  ['240.0.0.0/4', 'reserved'],
];

/** Of IPv6 only 2000::/3 is given out; what is special within it is listed first. */
const IPV6_RANGES: readonly Range[] = [
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['::ffff:0:0/96', 'embedded-ipv4'],
  ['::ffff:0:0:0/96', 'embedded-ipv4'],
  ['::/96', 'embedded-ipv4'],
  ['64:ff9b::/96', 'embedded-ipv4'],
  ['64:ff9b:1::/48', 'embedded-ipv4'],
  ['2002::/16', 'embedded-ipv4'],
  ['2001::/32', 'embedded-ipv4'],
  ['fd00:ec2::/32', 'metadata'],
  ['fd20:ce::/32', 'metadata'],
  ['fc00::/7', 'private'],
  ['fec0::/10', 'private'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
  ['2001:2::/48', 'benchmark'],
  ['2001:db8::/32', 'documentation'],
  ['3fff::/20', 'documentation'],
  ['2001::/23', 'reserved'],
  ['2620:4f:8000::/48', 'reserved'],
  ['2000::/3', 'public'],
  ['::/0', 'reserved'],
];

/** The class of a canonical address; anything else is `malformed`. */
export function classifyAddress(text: string): AddressClass {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== null) return classOf(ipv4, PARSED_IPV4) ?? 'public';
  const ipv6 = parseIpv6(text);
  if (ipv6 !== null) return classOf(ipv6, PARSED_IPV6) ?? 'reserved';
  return 'malformed';
}

export function isPublicAddress(text: string): boolean {
  return classifyAddress(text) === 'public';
}

/** Four bytes of a dotted address in plain decimal, or null. */
export function parseIpv4(text: string): number[] | null {
  if (!/^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/.test(text)) return null;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

/** Sixteen bytes, or null; a zone (`%eth0`) is no part of an address. */
export function parseIpv6(text: string): number[] | null {
  if (!/^[0-9a-f:.]{2,45}$/i.test(text)) return null;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const tail = dotted ? parseIpv4(dotted[2] ?? '') : [];
  if (tail === null) return null;
  const colons = dotted ? (dotted[1] ?? '') : text;
  const halves = dotted && !colons.endsWith('::') ? colons.slice(0, -1) : colons;
  const parts = halves.split('::');
  if (parts.length > 2) return null;
  const [head, rest] = [groupsOf(parts[0] ?? ''), groupsOf(parts[1] ?? '')];
  if (head === null || rest === null) return null;
  const missing = 16 - head.length - rest.length - tail.length;
  if (parts.length === 1 ? missing !== 0 : missing < 2) return null;
  return [...head, ...Array<number>(missing).fill(0), ...rest, ...tail];
}

function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const bytes: number[] = [];
  for (const group of text.split(':')) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
    const value = Number.parseInt(group, 16);
    bytes.push(value >> 8, value & 255);
  }
  return bytes;
}

interface ParsedRange {
  bytes: number[];
  bits: number;
  kind: AddressClass;
}

const PARSED_IPV4 = IPV4_RANGES.map(parseRange);
const PARSED_IPV6 = IPV6_RANGES.map(parseRange);

function parseRange([cidr, kind]: Range): ParsedRange {
  const [address = '', bits = ''] = cidr.split('/');
  const bytes = parseIpv4(address) ?? parseIpv6(address);
  if (bytes === null) throw new RangeError(`${cidr} is no range of addresses`);
  return { bytes, bits: Number(bits), kind };
}

function classOf(bytes: number[], ranges: readonly ParsedRange[]): AddressClass | undefined {
  return ranges.find((range) => isWithin(bytes, range))?.kind;
}

function isWithin(bytes: readonly number[], range: ParsedRange): boolean {
  return range.bytes.every((byte, index) => {
    const bits = Math.min(8, Math.max(0, range.bits - 8 * index));
    const mask = (0xff00 >> bits) & 0xff;
    return ((bytes[index] ?? 0) & mask) === (byte & mask);
  });
}
