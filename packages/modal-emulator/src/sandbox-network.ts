// The network of one sandbox as its emulator serves it: forwards out of it, connections into it.
// 1. Policies are put in force one at a time, in the order they came. 2. Nothing of it outlives `close`.
import type { Logger } from '@capstan/shared/logger';
import { type ConnectCredentials, ConnectGate } from './connect-gate.ts';
import { Forwards } from './forwards.ts';
import { HostSockets } from './host-sockets.ts';
import type { NetworkPolicy } from './network-policy.ts';
import type { SandboxProcess } from './sandbox-process.ts';
import { type SandboxConnections, SandboxSocketError, SandboxSockets } from './sandbox-sockets.ts';
import { tunnelIdentity } from './tunnel-certificate.ts';
import { Tunnels } from './tunnels.ts';
import type { PortSpec, TunnelData } from './wire.ts';

export interface SandboxNetworkOptions {
  sandboxId: string;
  process: SandboxProcess;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
  /** Ports of the host's loopback that it may reach when its policy lets it. */
  forwards: readonly number[];
  /** Has the certificate of tunnels. */
  stateDir: string;
  log: Logger;
}

export class SandboxNetwork {
  readonly #isIsolated: boolean;
  readonly #sockets: SandboxConnections;
  readonly #forwards: Forwards;
  readonly #gate: ConnectGate;
  readonly #tunnels: Tunnels;
  #changes: Promise<unknown> = Promise.resolve();

  constructor({ sandboxId, process, ownerId, forwards, stateDir, log }: SandboxNetworkOptions) {
    const { openNamespaces, listeners, isIsolated } = process;
    const sockets = isIsolated ? new SandboxSockets({ openNamespaces, ownerId }) : new HostSockets();
    this.#isIsolated = isIsolated;
    this.#sockets = sockets;
    const onFull = () => log.warn('sandbox.forwards_full', { sandbox_id: sandboxId });
    this.#forwards = new Forwards(
      { ports: forwards, listen: (port) => sockets.listen(port), onFull },
      listeners,
    );
    const dial = (port: number) => sockets.dial(port);
    this.#gate = new ConnectGate(dial);
    this.#tunnels = new Tunnels({ dial, identity: () => tunnelIdentity(stateDir) });
  }

  /** Whether somebody is connected to a server of the sandbox. */
  get isBusy(): boolean {
    return this.#sockets.isBusy;
  }

  /** Resolves when it is in force. Rejects with SandboxSocketError where a forward cannot listen again. */
  setPolicy(policy: NetworkPolicy): Promise<void> {
    if (!this.#isIsolated && !policy.isOpen) {
      const why =
        'The sandbox has the network of this machine (SANDBOX_ISOLATION=none): no policy can be kept there.';
      return Promise.reject(new SandboxSocketError('UNISOLATED', why));
    }
    const change = this.#changes.then(() => this.#forwards.allow(policy.allowsForwards && this.#isIsolated));
    this.#changes = change.catch(() => {});
    return change;
  }

  /** For HTTP and WebSocket to a port of the sandbox. `userData` reaches its server in a header. */
  connectToken(port: number, userData: string): Promise<ConnectCredentials> {
    return this.#gate.credentials(port, userData);
  }

  get tunnels(): readonly TunnelData[] {
    return this.#tunnels.opened;
  }

  /** Once, as the sandbox is created. */
  openTunnels(specs: readonly PortSpec[]): Promise<readonly TunnelData[]> {
    return this.#tunnels.open(specs);
  }

  close(): void {
    this.#forwards.close();
    this.#gate.close();
    this.#tunnels.close();
    this.#sockets.close();
  }
}
