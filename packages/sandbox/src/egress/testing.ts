// What tests of the proxy share: a proxy, servers on loopback that have public names there, and clients that speak raw bytes.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { parseHost } from '@capstan/shared/hosts';
import { createLogger } from '@capstan/shared/logger';
import type { SandboxCredential } from '../port.ts';
import { createSandboxEgresses, type SandboxEgresses } from './attachment.ts';
import { createAuthority } from './authority.ts';
import type { Denial } from './denial.ts';
import { type EgressPolicy, newPlaceholder } from './policy.ts';
import { createPolicyStore } from './policy-store.ts';
import { createEgressProxy, type EgressProxy, type EgressProxyPorts } from './proxy.ts';
import { createMemoryRecords } from './sealed-records.ts';

export const SECRET = 'a-secret-of-the-gateway-for-tests-only';
/** Servers of tests are certified by another authority than the proxy's, as servers are. */
export const upstreamAuthority = createAuthority('the-authority-of-upstream-servers-in-tests');

type UpgradeListener = (request: IncomingMessage, socket: Duplex) => void;

export interface World {
  proxy: EgressProxy;
  port: number;
  egresses: SandboxEgresses;
  lines: Record<string, unknown>[];
  denied: Denial[];
  /** What names resolve to; a name that is not here has no address. */
  names: Map<string, readonly string[]>;
  /** A server on loopback, by its port. */
  serve(listener: RequestListener): Promise<number>;
  serveTls(name: string, listener: RequestListener, upgrade?: UpgradeListener): Promise<number>;
  serveTcp(listener: (socket: Socket) => void): Promise<number>;
  /** A sandbox with these rules; its Proxy-Authorization. */
  sandbox(policy: Partial<EgressPolicy>, name?: string): Promise<string>;
  /** A client connected to the proxy. */
  client(): Promise<RawClient>;
  close(): Promise<void>;
}

export async function openWorld(change: Partial<EgressProxyPorts> = {}): Promise<World> {
  const lines: Record<string, unknown>[] = [];
  const denied: Denial[] = [];
  const names = new Map<string, readonly string[]>();
  const closers: (() => void)[] = [];
  const proxy = createEgressProxy({
    secrets: [SECRET],
    store: createPolicyStore(createMemoryRecords()),
    dial: {
      resolve: async (name) => names.get(name) ?? (name.endsWith('.test') ? ['127.0.0.1'] : []),
      permits: (address) => address === '127.0.0.1',
      authorities: [upstreamAuthority.certificate],
    },
    log: createLogger((line) => lines.push(JSON.parse(line))),
    onDenied: (denial) => denied.push(denial),
    ...change,
  });
  const port = await proxy.listen(0, '127.0.0.1');
  const listening = async (server: Server | ReturnType<typeof createTcpServer>) => {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return portOf(server);
  };
  return {
    ...{ proxy, port, lines, denied, names },
    egresses: createSandboxEgresses(proxy, `http://127.0.0.1:${port}`),
    serve: (listener) => listening(createHttpServer(listener)),
    serveTls: (name, listener, upgrade) => {
      const server = createHttpsServer(tlsOptions(name), listener);
      if (upgrade) server.on('upgrade', upgrade);
      return listening(server);
    },
    serveTcp: (listener) => listening(createTcpServer({ allowHalfOpen: true }, listener)),
    async sandbox({ network = { type: 'unrestricted' }, credentials = [] }, name = 'sbx-1') {
      await proxy.setPolicy(name, { network, credentials });
      return `Proxy-Authorization: Basic ${Buffer.from(`${name}:${proxy.identities.tokenFor(name)}`).toString('base64')}`;
    },
    async client() {
      const client = await RawClient.connect(port);
      closers.push(() => client.socket.destroy());
      return client;
    },
    async close() {
      for (const closer of closers) closer();
      await proxy.close();
    },
  };
}

export function credentialFor(hosts: string[], change: Partial<SandboxCredential> = {}): SandboxCredential {
  const locations = { header: true, query: false, body: false };
  return {
    id: 'vcrd_1',
    placeholder: newPlaceholder(),
    secret: 'S3cr3t/Value+With~Marks==',
    hosts,
    locations,
    ...change,
  };
}

export class RawClient {
  readonly socket: Socket;
  text = '';
  ended = false;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#changed(() => (this.text += chunk.toString('latin1'))));
    const end = () => this.#changed(() => (this.ended = true));
    socket.on('end', end).on('close', end).on('error', end);
  }

  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  /** Lines joined as HTTP joins them, with the empty line that ends a head. */
  head(...lines: string[]): this {
    return this.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  write(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** What came so far, once it matches. */
  until(pattern: RegExp): Promise<string> {
    return this.#when(() => pattern.test(this.text), String(pattern));
  }

  /** Everything, once the other side has ended. */
  whole(): Promise<string> {
    return this.#when(() => this.ended, 'its end');
  }

  #changed(change: () => void): void {
    change();
    for (const wake of [...this.#waiting]) wake();
  }

  #when(holds: () => boolean, what: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        if (!holds() && !this.ended) return;
        this.#waiting.delete(wake);
        if (holds()) resolve(this.text);
        else reject(new Error(`ended before ${what}: ${JSON.stringify(this.text)}`));
      };
      this.#waiting.add(wake);
      wake();
    });
  }
}

export function tlsOptions(name: string): {
  SNICallback: (name: string, done: (error: null, context: ReturnType<typeof contextFor>) => void) => void;
} {
  return { SNICallback: (_, done) => done(null, contextFor(name)) };
}

function contextFor(name: string) {
  const host = parseHost(name);
  if (host === null) throw new RangeError(`${name} is no host`);
  return upstreamAuthority.contextFor(host);
}

export function portOf(server: { address(): string | AddressInfo | null }): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  return address.port;
}
