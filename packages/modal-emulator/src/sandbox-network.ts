// The network of one sandbox as its emulator serves it: forwards out of it, connections into it.
// 1. Policies are put in force one at a time, in the order they came. 2. Nothing of it outlives `close`.
import type { Logger } from '@capstan/shared/logger';
import { type ConnectCredentials, ConnectGate } from './connect-gate.ts';
import { Forwards } from './forwards.ts';
import type { NetworkPolicy } from './network-policy.ts';
import type { SandboxProcess } from './sandbox-process.ts';
import { SandboxSockets } from './sandbox-sockets.ts';

export interface SandboxNetworkOptions {
  sandboxId: string;
  process: SandboxProcess;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
  /** Ports of the host's loopback that it may reach when its policy lets it. */
  forwards: readonly number[];
  log: Logger;
}

export class SandboxNetwork {
  readonly #sockets: SandboxSockets;
  readonly #forwards: Forwards;
  readonly #gate: ConnectGate;
  #changes: Promise<unknown> = Promise.resolve();

  constructor({ sandboxId, process, ownerId, forwards, log }: SandboxNetworkOptions) {
    const { openNamespaces, listeners } = process;
    const sockets = new SandboxSockets({ openNamespaces, ownerId });
    this.#sockets = sockets;
    const onFull = () => log.warn('sandbox.forwards_full', { sandbox_id: sandboxId });
    this.#forwards = new Forwards(
      { ports: forwards, listen: (port) => sockets.listen(port), onFull },
      listeners,
    );
    this.#gate = new ConnectGate((port) => sockets.dial(port));
  }

  /** Whether somebody is connected to a server of the sandbox. */
  get isBusy(): boolean {
    return this.#sockets.isBusy;
  }

  /** Resolves when it is in force. Rejects with SandboxSocketError where a forward cannot listen again. */
  setPolicy(policy: NetworkPolicy): Promise<void> {
    const change = this.#changes.then(() => this.#forwards.allow(policy.allowsForwards));
    this.#changes = change.catch(() => {});
    return change;
  }

  /** For HTTP and WebSocket to a port of the sandbox. `userData` reaches its server in a header. */
  connectToken(port: number, userData: string): Promise<ConnectCredentials> {
    return this.#gate.credentials(port, userData);
  }

  close(): void {
    this.#forwards.close();
    this.#gate.close();
    this.#sockets.close();
  }
}
