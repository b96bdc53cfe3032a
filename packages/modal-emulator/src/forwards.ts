// The host's services that one sandbox may reach: ports of its own loopback that lead to the same ports of the host's.
// 1. A port that the policy forbids does not listen, and has no connection left, when `allow` resolves; cutting comes
// first, so nothing waits for it. 2. There are at most MAX_CONNECTIONS. 3. `close` leaves nothing open.
import { connect, type Server, type Socket } from 'node:net';
import { LOOPBACK } from './network-policy.ts';
import { abort, relay } from './relay.ts';

export const MAX_CONNECTIONS = 256;

export interface ForwardsPorts {
  /** All there are. */
  ports: readonly number[];
  /** Makes a listener inside the sandbox. */
  listen(port: number): Promise<Server>;
  /** Told once per sandbox. */
  onFull(): void;
}

export class Forwards {
  readonly #ports: ForwardsPorts;
  readonly #listeners = new Map<number, Server>();
  readonly #sockets = new Set<Socket>();
  #connections = 0;
  #told = false;
  #closed = false;

  /** `listeners` listen inside the sandbox already. */
  constructor(ports: ForwardsPorts, listeners: ReadonlyMap<number, Server>) {
    this.#ports = ports;
    for (const [port, listener] of listeners) this.#serve(port, listener);
  }

  /** Rejects when a listener cannot be made: a program of the sandbox may have taken its port. */
  async allow(allowed: boolean): Promise<void> {
    if (!allowed) {
      this.#cut();
      return;
    }
    const missing = this.#ports.ports.filter((port) => !this.#listeners.has(port));
    await Promise.all(missing.map(async (port) => this.#serve(port, await this.#ports.listen(port))));
  }

  close(): void {
    this.#closed = true;
    this.#cut();
  }

  #serve(port: number, listener: Server): void {
    if (this.#closed) {
      listener.close();
      return;
    }
    this.#listeners.set(port, listener);
    listener.on('connection', (near) => this.#accept(near, port));
    // Out of descriptors, for one: the connection waits in the kernel's queue.
    listener.on('error', () => {});
  }

  #accept(near: Socket, port: number): void {
    near.allowHalfOpen = true;
    if (this.#connections >= MAX_CONNECTIONS) {
      near.resetAndDestroy();
      if (!this.#told) this.#ports.onFull();
      this.#told = true;
      return;
    }
    const far = connect({ host: LOOPBACK, port, allowHalfOpen: true });
    this.#connections += 1;
    this.#keep(near, far);
    relay(near, far);
  }

  #keep(...pair: [Socket, Socket]): void {
    let open = pair.length;
    for (const socket of pair) {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        open -= 1;
        if (open === 0) this.#connections -= 1;
      });
    }
  }

  #cut(): void {
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
    for (const socket of this.#sockets) abort(socket);
  }
}
