// Connections: the sockets of all sandboxes, bounded so that none can take the proxy from the others.
//  1. A sandbox holds at most `perSandbox` sockets; one more is refused.
//  2. Sockets that have not said who they are make room for newer ones, oldest first.
//  3. When a sandbox's rules change, what goes on against the new ones is cut.
import type { Duplex } from 'node:stream';
import type { Target } from '@capstan/shared/hosts';
import { type Channel, type CompiledPolicy, judge } from './policy.ts';

export interface ConnectionLimits {
  perSandbox: number;
  unidentified: number;
}

/** A tunnel, or a request that is being answered. */
export interface Passage {
  target: Target;
  channel: Channel;
  /** Whether TLS is ended here. */
  intercepted: boolean;
  cut(): void;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #unidentified = new Set<Duplex>();
  readonly #owners = new WeakMap<Duplex, string>();
  readonly #held = new Map<string, number>();
  readonly #passages = new Map<string, Set<Passage>>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** A socket that was accepted a moment ago. */
  watch(socket: Duplex): void {
    const [oldest] = this.#unidentified;
    if (this.#unidentified.size >= this.#limits.unidentified) oldest?.destroy();
    this.#unidentified.add(socket);
    socket.once('close', () => this.#unidentified.delete(socket));
  }

  /** Counts the socket as the sandbox's; false when it has too many, or the socket belongs to another. */
  admit(socket: Duplex, sandbox: string): boolean {
    const owner = this.#owners.get(socket);
    if (owner !== undefined) return owner === sandbox;
    const held = this.#held.get(sandbox) ?? 0;
    if (held >= this.#limits.perSandbox) return false;
    this.#unidentified.delete(socket);
    this.#owners.set(socket, sandbox);
    this.#held.set(sandbox, held + 1);
    socket.once('close', () => this.#release(sandbox));
    return true;
  }

  /** Until the returned function is called. */
  enter(sandbox: string, passage: Passage): () => void {
    const passages = this.#passages.get(sandbox) ?? new Set();
    this.#passages.set(sandbox, passages);
    passages.add(passage);
    return () => {
      passages.delete(passage);
      if (passages.size === 0) this.#passages.delete(sandbox);
    };
  }

  /** Cuts what a new policy would not let begin, or would let begin in another way. */
  apply(sandbox: string, policy: CompiledPolicy | null): void {
    for (const passage of [...(this.#passages.get(sandbox) ?? [])]) {
      const verdict = policy && judge(policy, passage.target, passage.channel);
      const same = verdict?.allowed && verdict.credentials.length > 0 === passage.intercepted;
      if (!same) passage.cut();
    }
  }

  heldBy(sandbox: string): number {
    return this.#held.get(sandbox) ?? 0;
  }

  #release(sandbox: string): void {
    const held = (this.#held.get(sandbox) ?? 1) - 1;
    if (held > 0) this.#held.set(sandbox, held);
    else this.#held.delete(sandbox);
  }
}
