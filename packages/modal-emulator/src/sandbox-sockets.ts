// Sockets made inside a sandbox's network namespace and used from outside it. A short-lived program of the host makes
// them there and hands them over the channel Node has for that; nothing of the sandbox ever holds the channel.
// 1. An idle sandbox has no such program. 2. The namespaces are opened by descriptor while the sandbox is known to live,
// so no order is ever followed in a namespace that took its number. 3. What was made ends with `close`.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { type Interpreter, interpreted, PROGRAM_PATHS } from './interpreters.ts';

const IDLE_MS = 30_000;
const MAX_COMPLAINT = 1000;
const ENDED = 'The sandbox has ended.';

/** Descriptors of a sandbox's network and user namespaces; whoever opened them closes them. */
export interface Namespaces {
  network: number;
  user: number;
}

export interface SandboxSocketsPorts {
  /** Throws when the sandbox has ended. */
  openNamespaces(): Namespaces;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
  interpreter?: Interpreter;
}

/** How an emulator and the servers of one sandbox reach each other. */
export interface SandboxConnections {
  /** Whether a connection into the sandbox is open. */
  readonly isBusy: boolean;
  /** A half-open-capable connection to 127.0.0.1:`port` of the sandbox. Rejects with SandboxSocketError. */
  dial(port: number): Promise<Socket>;
  /** Listens on 127.0.0.1:`port` of the sandbox. Rejects with SandboxSocketError. */
  listen(port: number): Promise<Server>;
  close(): void;
}

/** Nothing took the connection, the port is taken, or the sandbox has ended. */
export class SandboxSocketError extends Error {
  override readonly name = 'SandboxSocketError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Order {
  verb: 'dial' | 'listen';
  port: number;
  resolve(handle: unknown): void;
  reject(cause: Error): void;
}

export class SandboxSockets implements SandboxConnections {
  readonly #ports: SandboxSocketsPorts;
  readonly #orders = new Map<number, Order>();
  readonly #dialed = new Set<Socket>();
  #maker: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastOrder = 0;
  #closed = false;

  constructor(ports: SandboxSocketsPorts) {
    this.#ports = ports;
  }

  get isBusy(): boolean {
    return this.#dialed.size > 0;
  }

  async dial(port: number): Promise<Socket> {
    const socket = await this.#order('dial', port);
    if (!(socket instanceof Socket)) throw new TypeError('The maker of sockets handed over something else.');
    socket.allowHalfOpen = true;
    // Whoever uses it hears of its end; nobody has to.
    socket.on('error', () => {});
    this.#dialed.add(socket);
    socket.once('close', () => this.#dialed.delete(socket));
    return socket;
  }

  async listen(port: number): Promise<Server> {
    const server = await this.#order('listen', port);
    if (!(server instanceof Server)) throw new TypeError('The maker of sockets handed over something else.');
    return server;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#maker?.kill('SIGKILL');
    this.#rejectAll(ENDED);
    for (const socket of this.#dialed) socket.destroy();
  }

  #order(verb: Order['verb'], port: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new SandboxSocketError('ENDED', ENDED));
        return;
      }
      const id = ++this.#lastOrder;
      this.#orders.set(id, { verb, port, resolve, reject });
      this.#maker ??= this.#start();
      // One that cannot be told has ended, and its end rejects what it has not done.
      this.#maker.send({ id, verb, port }, () => {});
      this.#rest();
    });
  }

  #start(): ChildProcess {
    const { ownerId, openNamespaces, interpreter } = this.#ports;
    const { network, user } = openNamespaces();
    try {
      const [name, ...args] = [
        'nsenter',
        '--net=/proc/self/fd/4',
        ...identity(ownerId),
        ...interpreted(['sockets', 'serve'], interpreter),
      ];
      const maker = spawn(name ?? 'nsenter', args, {
        cwd: '/',
        env: { PATH: PROGRAM_PATHS.join(':') },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc', network, user],
      });
      maker.on('message', (message, handle) => this.#take(message, handle));
      let complaint = '';
      maker.stderr?.on('data', (chunk: Buffer) => {
        complaint = `${complaint}${chunk.toString('utf8')}`.slice(-MAX_COMPLAINT);
      });
      maker.once('error', (cause) => this.#ended(maker, cause.message));
      maker.once('close', () => this.#ended(maker, complaint.trim()));
      return maker;
    } finally {
      closeSync(network);
      closeSync(user);
    }
  }

  #take(message: unknown, handle: unknown): void {
    const { id, error } = isAnswer(message) ? message : {};
    const order = this.#takeOrder(id ?? 0);
    if (order === undefined) discard(handle);
    else if (error === undefined) order.resolve(handle);
    else order.reject(refusal(order, getSystemErrorName(-error)));
  }

  #takeOrder(id: number): Order | undefined {
    const order = this.#orders.get(id);
    this.#orders.delete(id);
    return order;
  }

  /** The maker goes when nobody has asked for a while, and comes again when somebody does. */
  #rest(): void {
    this.#idle ??= setTimeout(() => {
      this.#idle = undefined;
      if (this.#orders.size > 0) {
        this.#rest();
        return;
      }
      this.#maker?.disconnect();
      this.#maker = undefined;
    }, IDLE_MS).unref();
    this.#idle.refresh();
  }

  #ended(maker: ChildProcess, why: string): void {
    if (this.#maker !== maker) return;
    this.#maker = undefined;
    this.#rejectAll(`The sandbox has ended, or its sockets cannot be made: ${why || 'no reason was given'}.`);
  }

  #rejectAll(why: string): void {
    for (const { reject } of this.#orders.values()) reject(new SandboxSocketError('ENDED', why));
    this.#orders.clear();
  }
}

/** Root enters the network alone, and becomes the sandbox's user; another user has to be root of its namespaces first. */
function identity(ownerId: number | undefined): string[] {
  if (ownerId === undefined) return ['--user=/proc/self/fd/5', '--preserve-credentials'];
  return [`--setuid=${ownerId}`, `--setgid=${ownerId}`];
}

function isAnswer(message: unknown): message is { id?: number; error?: number } {
  return typeof message === 'object' && message !== null;
}

function refusal({ verb, port }: Order, code: string): SandboxSocketError {
  if (code === 'ECONNREFUSED')
    return new SandboxSocketError(code, `Nothing listens on 127.0.0.1:${port} of the sandbox.`);
  if (code === 'EADDRINUSE')
    return new SandboxSocketError(code, `A program of the sandbox has taken 127.0.0.1:${port}.`);
  return new SandboxSocketError(code, `Could not ${verb} 127.0.0.1:${port} of the sandbox: ${code}.`);
}

/** What nobody waits for any more. */
function discard(handle: unknown): void {
  if (handle instanceof Socket) handle.destroy();
  if (handle instanceof Server) handle.close();
}
