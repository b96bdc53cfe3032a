// Dial: from a host to a connected socket. Names are resolved here and only here, every address is judged, and the socket is
// connected to the very address that was judged: what a name means a moment later changes nothing.
import { Resolver } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { isPublicAddress } from '@capstan/shared/addresses';
import type { Host, Target } from '@capstan/shared/hosts';
import { EgressRefusal } from './denial.ts';

export interface DialPorts {
  /** Every address of a name, v4 and v6; rejects or gives none when it has none. */
  resolve(name: string): Promise<readonly string[]>;
  /** Whether an address that was resolved may be connected to. */
  permits(address: string): boolean;
  /** Authorities of upstream servers beside those Node ships with; PEM. */
  authorities?: readonly string[];
  connectMs?: number;
}

const CONNECT_MS = 10_000;
/** A host with many addresses is not a way to hold a connection open for long. */
const MAX_ADDRESSES = 8;

/** Asks the system's name servers, and nothing else: neither the hosts file nor a search domain of this machine. */
export function publicDial(): DialPorts {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  return {
    async resolve(name) {
      const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
      return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    },
    permits: (address) => isPublicAddress(address) && !isOwnAddress(address),
  };
}

/** A socket to the target; half-open, as tunnels need it. Throws EgressRefusal. */
export async function dial(ports: DialPorts, target: Target, signal: AbortSignal): Promise<Socket> {
  const addresses = await permittedAddresses(ports, target.host);
  let last: unknown;
  for (const address of addresses) {
    signal.throwIfAborted();
    try {
      return await open({ address, port: target.port, timeoutMs: ports.connectMs ?? CONNECT_MS }, signal);
    } catch (error) {
      last = error;
    }
  }
  throw new EgressRefusal('unreachable', codeOf(last), { cause: last });
}

/** TLS to the target over a dialled socket, with its certificate verified for the host. Throws EgressRefusal. */
export async function dialTls(ports: DialPorts, target: Target, signal: AbortSignal): Promise<TLSSocket> {
  const socket = await dial(ports, target, signal);
  return await secure(socket, ports, target);
}

async function permittedAddresses(ports: DialPorts, host: Host): Promise<readonly string[]> {
  const addresses = host.kind === 'name' ? await resolved(ports, host.text) : [host.text];
  const permitted = addresses.filter((address) => ports.permits(address));
  if (permitted.length === 0) throw new EgressRefusal('address_not_public');
  return permitted.slice(0, MAX_ADDRESSES);
}

async function resolved(ports: DialPorts, name: string): Promise<readonly string[]> {
  const addresses = await ports.resolve(name).catch((error: unknown) => {
    throw new EgressRefusal('unresolvable', codeOf(error), { cause: error });
  });
  if (addresses.length === 0) throw new EgressRefusal('unresolvable');
  return addresses;
}

interface Attempt {
  address: string;
  port: number;
  timeoutMs: number;
}

function open({ address, port, timeoutMs }: Attempt, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // An address, so nothing is looked up again.
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    const settle = (error?: Error) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.removeAllListeners();
      if (error === undefined) return resolve(socket);
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const abort = () => settle(new Error('abandoned'));
    const timer = setTimeout(() => settle(new Error('ETIMEDOUT')), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => settle());
    socket.once('error', settle);
  });
}

function secure(socket: Socket, ports: DialPorts, { host }: Target): Promise<TLSSocket> {
  const ca = ports.authorities === undefined ? {} : { ca: [...ports.authorities] };
  const name = host.kind === 'name' ? { servername: host.text } : { host: host.text };
  return new Promise((resolve, reject) => {
    const stream = connectTls({ socket, ...name, ...ca, ALPNProtocols: ['http/1.1'], minVersion: 'TLSv1.2' });
    const timer = setTimeout(() => stream.destroy(new Error('ETIMEDOUT')), ports.connectMs ?? CONNECT_MS);
    stream.once('secureConnect', () => {
      clearTimeout(timer);
      stream.removeAllListeners('error');
      resolve(stream);
    });
    stream.once('error', (error) => {
      clearTimeout(timer);
      stream.on('error', () => {});
      socket.destroy();
      const reason = stream.authorizationError ? 'certificate_refused' : 'unreachable';
      reject(new EgressRefusal(reason, codeOf(error), { cause: error }));
    });
  });
}

/** This machine is no place for a sandbox even where it has a public address. */
function isOwnAddress(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
}

/** `ECONNREFUSED` and its like; a message could carry more than a code. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return /^[A-Z]+$/.test(error.message) ? error.message : '';
}
