// Egress proxy: the one way from a sandbox to the internet, a forward HTTP proxy (absolute-form and CONNECT).
//  1. Who asks proves who it is; its rules are looked up for each request, and no rules means no.
//  2. A socket is connected to an address that was judged, for a host that was judged; a redirect is the client's next request.
//  3. Nothing of what passes is logged; each refusal is one line, and an answer that says what would mend it.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '@capstan/shared/logger';
import { type Authority, createAuthority } from './authority.ts';
import { type ConnectionLimits, Connections } from './connections.ts';
import { answerOf, createDenialLog, type Denial, type DenialReason, EgressRefusal } from './denial.ts';
import type { DialPorts } from './dial.ts';
import { MAX_HEADER_BYTES } from './exchange.ts';
import { createIdentities, type Identities } from './identity.ts';
import type { EgressPolicy } from './policy.ts';
import type { PolicyStore } from './policy-store.ts';
import { Traffic } from './traffic.ts';

export interface EgressProxyPorts {
  /** The current secret, then those whose sandboxes still run. Tokens and authorities are derived from them. */
  secrets: readonly string[];
  store: PolicyStore;
  dial: DialPorts;
  log: Logger;
  /** Told each denial that is logged. */
  onDenied?: (denial: Denial) => void;
  limits?: Partial<EgressLimits>;
}

export interface EgressLimits extends ConnectionLimits {
  /** All sockets together. */
  connections: number;
  /** From the first byte of a request, or the accepting of its connection, to the end of its headers. */
  headersMs: number;
  /** A connection on which nothing moves for this long is ended. */
  idleMs: number;
}

export interface EgressProxy {
  identities: Identities;
  /** The current one: what new sandboxes trust. */
  authority: Authority;
  /** Resolves with the port once connections are accepted. */
  listen(port: number, host: string): Promise<number>;
  /** Says the rules of a sandbox, and cuts what they no longer allow. Throws RangeError on rules that say nothing sensible. */
  setPolicy(sandbox: string, policy: EgressPolicy): Promise<void>;
  /** Takes every way out from a sandbox. */
  forget(sandbox: string): Promise<void>;
  /** Ends every connection. */
  close(): Promise<void>;
}

const LIMITS: EgressLimits = {
  perSandbox: 256,
  unidentified: 1024,
  connections: 8192,
  headersMs: 10_000,
  // Models that think before they answer send nothing for minutes.
  idleMs: 15 * 60_000,
};
const KEEP_ALIVE_MS = 30_000;
/** How far a socket may outstay `headersMs`. */
const CHECK_EVERY_MS = 1_000;

export function createEgressProxy(ports: EgressProxyPorts): EgressProxy {
  const limits = { ...LIMITS, ...ports.limits };
  const identities = createIdentities(ports.secrets);
  const [authority, ...previous] = ports.secrets.map((secret) => createAuthority(secret));
  if (authority === undefined) throw new RangeError('An egress proxy needs at least one secret');
  const connections = new Connections(limits);
  const denials = createDenialLog(ports);
  const server = createHttpServer(limits);
  const sockets = new Set<Socket>();
  const traffic = new Traffic({
    ...{ server, identities, connections, denials },
    ...{
      store: ports.store,
      dial: ports.dial,
      log: ports.log,
      headersMs: limits.headersMs,
      idleMs: limits.idleMs,
    },
    authorities: [authority, ...previous],
  });
  server.on('connection', (socket) => {
    if (traffic.isInterior(socket)) return;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    connections.watch(socket);
  });
  server.on('request', (request, response) => void traffic.request(request, response));
  server.on('upgrade', (request, _, head) => void traffic.upgrade(request, head));
  server.on('connect', (request, _, head) => void traffic.connect(request, head));
  server.on('clientError', (error, socket) => {
    const reason = reasonOf(error);
    if (reason !== null) denials.tell({ sandbox: null, target: null }, reason);
    if (reason !== null && socket.writable) socket.write(rawAnswer(reason));
    socket.destroy();
  });
  return {
    identities,
    authority,
    listen: (port, host) => listen(server, port, host),
    async setPolicy(sandbox, policy) {
      connections.apply(sandbox, await ports.store.set(sandbox, policy));
    },
    async forget(sandbox) {
      await ports.store.forget(sandbox);
      connections.apply(sandbox, null);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function createHttpServer(limits: EgressLimits): Server {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.headersMs,
    // Uploads may take their time; a body that stands still is ended by `timeout`.
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    insecureHTTPParser: false,
    noDelay: true,
    // Other upgrades, such as h2c, are answered as if they had not been offered.
    shouldUpgradeCallback: isWebSocket,
  });
  server.timeout = limits.idleMs;
  server.maxConnections = limits.connections;
  return server;
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Null: the connection is gone, and nobody is to be told. */
function reasonOf(error: Error): DenialReason | null {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ECONNRESET' || code === 'EPIPE') return null;
  if (code === 'HPE_HEADER_OVERFLOW') return 'header_too_large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  if (code === 'HPE_UNEXPECTED_CONTENT_LENGTH' || code === 'HPE_INVALID_TRANSFER_ENCODING')
    return 'bad_framing';
  return 'bad_request';
}

function rawAnswer(reason: DenialReason): string {
  const { status, statusText, headers, body } = answerOf(new EgressRefusal(reason), null);
  const lines = [...headers, ['Connection', 'close']].map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${statusText}\r\n${lines.join('')}\r\n${body}`;
}
