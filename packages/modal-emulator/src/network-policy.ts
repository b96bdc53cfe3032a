// Where a sandbox's connections may go. Its network has no route, so the question is only ever asked of a forward: an
// address of the host's loopback that a sandbox finds at the same address of its own.
import { BlockList, isIP } from 'node:net';
import { type NetworkAccess, NetworkAccessType } from './wire.ts';

export const LOOPBACK = '127.0.0.1';
/** The SDK documents it as allowing everything. */
const EVERYWHERE = '*';
const NAMES_OF_LOOPBACK: readonly string[] = [LOOPBACK, 'localhost'];
/** The ports below are for privileged programs, which no sandbox has. */
const FIRST_PORT = 1024;
const LAST_PORT = 65_535;
const MAX_FORWARDS = 16;
const DOMAIN = /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/** Whether the host's loopback, where every forward leads, may be reached. */
export interface NetworkPolicy {
  /** Nothing at all is forbidden. */
  readonly isOpen: boolean;
  readonly allowsForwards: boolean;
}

export class NetworkPolicyError extends Error {
  override readonly name = 'NetworkPolicyError';
}

/** Ports from `127.0.0.1:PORT` texts. Throws TypeError naming the one that is no such address. */
export function parseForwards(texts: readonly string[]): number[] {
  if (texts.length > MAX_FORWARDS)
    throw new TypeError(`There are ${texts.length} forwards; the most is ${MAX_FORWARDS}.`);
  const ports = texts.map((text) => {
    const port = Number(/^127\.0\.0\.1:(\d+)$/.exec(text)?.[1]);
    if (port >= FIRST_PORT && port <= LAST_PORT) return port;
    throw new TypeError(
      `The forward ${JSON.stringify(text)} is not 127.0.0.1:PORT with a port from ${FIRST_PORT} to ${LAST_PORT}: sandboxes reach nothing but services on this machine's loopback.`,
    );
  });
  return [...new Set(ports)];
}

/** Throws NetworkPolicyError for a kind, a CIDR or a domain it does not know: what is not understood is not granted. */
export function networkPolicy(access: NetworkAccess | undefined): NetworkPolicy {
  const type = access?.networkAccessType ?? NetworkAccessType.unspecified;
  if (type === NetworkAccessType.unspecified || type === NetworkAccessType.open)
    return { isOpen: true, allowsForwards: true };
  if (type === NetworkAccessType.blocked) return { isOpen: false, allowsForwards: false };
  if (access === undefined || type !== NetworkAccessType.allowlist)
    throw new NetworkPolicyError(`networkAccessType ${type} is none the local emulator knows.`);
  const blocks = blockList(access.allowedCidrs);
  const domains = access.allowedDomains.map(checkDomain);
  return { isOpen: false, allowsForwards: blocks.check(LOOPBACK) || domains.some((domain) => names(domain)) };
}

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefix = '', ...rest] = cidr.split('/');
    const version = isIP(address);
    const isPrefix = /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
    if (version === 0 || !isPrefix || rest.length > 0)
      throw new NetworkPolicyError(
        `${JSON.stringify(cidr)} is no CIDR: write an address and a prefix length, such as 10.0.0.0/8.`,
      );
    // IPv6 has no forwards, and ::/0 would count for the addresses of IPv4 too.
    if (version === 4) list.addSubnet(address, Number(prefix), 'ipv4');
  }
  return list;
}

function checkDomain(domain: string): string {
  const name = domain.toLowerCase();
  if (name === EVERYWHERE || DOMAIN.test(name)) return name;
  throw new NetworkPolicyError(
    `${JSON.stringify(domain)} is no domain: write a name such as example.com or *.example.com.`,
  );
}

function names(domain: string): boolean {
  return domain === EVERYWHERE || NAMES_OF_LOOPBACK.includes(domain);
}
