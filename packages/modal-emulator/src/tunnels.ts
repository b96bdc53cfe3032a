// Tunnels of one sandbox: ports of this machine's loopback that lead to ports of the sandbox's, with TLS or without.
// Unlike connect tokens they ask nobody who they are, as Modal's do not.
// 1. There are at most MAX_CONNECTIONS. 2. `close` leaves nothing open.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { LOOPBACK } from './network-policy.ts';
import { abort, relay } from './relay.ts';
import type { TlsIdentity } from './tunnel-certificate.ts';
import type { PortSpec, TunnelData } from './wire.ts';

const MAX_CONNECTIONS = 256;
/** Of a PortSpec, beside none, for HTTP/2 from end to end. */
const HTTP2 = 1;

export interface TunnelsPorts {
  dial(port: number): Promise<Socket>;
  identity(): TlsIdentity;
}

export class Tunnels {
  readonly #ports: TunnelsPorts;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  #opened: readonly TunnelData[] = [];
  #closed = false;

  constructor(ports: TunnelsPorts) {
    this.#ports = ports;
  }

  get opened(): readonly TunnelData[] {
    return this.#opened;
  }

  async open(specs: readonly PortSpec[]): Promise<readonly TunnelData[]> {
    const identity = specs.length === 0 ? undefined : this.#ports.identity();
    this.#opened = await Promise.all(
      specs.map(async ({ port, unencrypted, tunnelType }) => {
        const ALPNProtocols = [tunnelType === HTTP2 ? 'h2' : 'http/1.1'];
        const options = { ...identity, ALPNProtocols, allowHalfOpen: true };
        const encrypted = createTlsServer(options, (near) => void this.#accept(near, port));
        const tunnel: TunnelData = {
          containerPort: port,
          host: LOOPBACK,
          port: await this.#listen(encrypted),
        };
        if (!unencrypted) return tunnel;
        const plain = createServer({ allowHalfOpen: true }, (near) => void this.#accept(near, port));
        return { ...tunnel, unencryptedHost: LOOPBACK, unencryptedPort: await this.#listen(plain) };
      }),
    );
    return this.#opened;
  }

  close(): void {
    this.#closed = true;
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) abort(socket);
  }

  #listen(server: Server): Promise<number> {
    server.maxConnections = MAX_CONNECTIONS;
    // A handshake that is never finished ends with the sandbox too.
    server.on('connection', (socket: Socket) => this.#keep(socket));
    this.#servers.add(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, LOOPBACK, () => {
        if (this.#closed) server.close();
        const address = server.address();
        resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
      });
    });
  }

  async #accept(near: Socket, port: number): Promise<void> {
    this.#keep(near);
    try {
      const far = await this.#ports.dial(port);
      if (near.destroyed) far.destroy();
      else relay(near, far);
    } catch {
      // Nothing listens there, which a connection tells by its end.
      abort(near);
    }
  }

  #keep(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#closed) socket.destroy();
  }
}
