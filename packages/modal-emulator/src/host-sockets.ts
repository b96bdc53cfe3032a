// Connections to servers of a sandbox that has no network of its own: they listen on this machine's loopback.
import { connect, type Server, type Socket } from 'node:net';
import { LOOPBACK } from './network-policy.ts';
import { type SandboxConnections, SandboxSocketError } from './sandbox-sockets.ts';

export class HostSockets implements SandboxConnections {
  readonly #dialed = new Set<Socket>();

  get isBusy(): boolean {
    return this.#dialed.size > 0;
  }

  dial(port: number): Promise<Socket> {
    const socket = connect({ host: LOOPBACK, port, allowHalfOpen: true });
    this.#dialed.add(socket);
    socket.once('close', () => this.#dialed.delete(socket));
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(socket));
      socket.on('error', () =>
        reject(
          new SandboxSocketError('ECONNREFUSED', `Nothing listens on ${LOOPBACK}:${port} of the sandbox.`),
        ),
      );
    });
  }

  /** It has the host's loopback: there is nothing to lead to it. */
  listen(port: number): Promise<Server> {
    return Promise.reject(new SandboxSocketError('UNISOLATED', `127.0.0.1:${port} is the host's own here.`));
  }

  close(): void {
    for (const socket of this.#dialed) socket.destroy();
  }
}
