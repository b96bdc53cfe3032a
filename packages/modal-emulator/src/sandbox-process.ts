// One sandbox as a set of Linux processes: a host-side parent (start.pl) and an agent that is PID 1 inside.
// 1. No process of it has the emulator's user, environment or descriptors, nor a system call that gets round
// its namespaces. 2. It is in its control groups before it is anything. 3. It ends when the emulator does, twice over:
// the kernel kills the parent with the emulator and the agent with the parent, and the agent ends with its order pipe.
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Server } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { SandboxCgroup } from './cgroups.ts';
import type { Namespaces } from './sandbox-sockets.ts';
import { SANDBOX_ENV, type SandboxStart, SandboxStartError } from './sandbox-starts.ts';
import { type StartOrder, startOrder } from './start-order.ts';

export const AGENT = readFileSync(new URL('./agent.sh', import.meta.url), 'utf8');
/** Bash takes a socket on stdin for a remote login, and would read the startup files of that user. */
export const PLAIN = ['--norc', '--noprofile'];
const AGENT_ARGV = ['bash', ...PLAIN, '-c', AGENT, 'agent'];

export interface SandboxProcess {
  /** It has namespaces of its own. */
  readonly isIsolated: boolean;
  /** Of the user that commands run as, as they see it. */
  readonly home: string;
  readonly runDirectory: string;
  /** By port: they listen on 127.0.0.1 inside. */
  readonly listeners: ReadonlyMap<number, Server>;
  /** Resolves when every process of the sandbox is gone. */
  readonly exited: Promise<void>;
  /** Runs `<runDirectory>/<runId>.sh` on the pipes beside it. */
  run(runId: string): void;
  /** Kills a process group, named as the sandbox numbers it. */
  killGroup(groupId: number): void;
  /** Kills every process in it but the agent. */
  killAll(): void;
  /** Throws SandboxStartError when it has ended. */
  openNamespaces(): Namespaces;
  /** As the host numbers it; undefined when it has ended. */
  agent(): number | undefined;
  stop(): Promise<void>;
}

export interface StartOptions extends StartOrder {
  runDirectory: string;
  /** From `SandboxStarts`; whoever took it discards it when this fails. */
  start: SandboxStart;
  /** The start's, with its limits. */
  group: Promise<SandboxCgroup>;
}

/** Throws SandboxStartError with what its start complained of. */
export async function startSandboxProcess(options: StartOptions): Promise<SandboxProcess> {
  const { runDirectory, start } = options;
  const { child } = start;
  const orders = child.stdin;
  if (orders === null) throw new TypeError('A sandbox starts with an order pipe; spawn gave none.');
  const listeners = await started(options, begin(orders, options));
  const exited = start.ended.then(() => {});
  return {
    isIsolated: true,
    home: SANDBOX_ENV.HOME,
    runDirectory,
    listeners,
    exited,
    run: (runId) => order(orders, `x ${runId}`),
    killGroup: (groupId) => order(orders, `k ${groupId}`),
    killAll: () => order(orders, 'k 1'),
    openNamespaces: () => openNamespaces(child),
    agent: () => (child.pid === undefined || child.exitCode !== null ? undefined : agentOf(child.pid)),
    stop: async () => {
      killTree(child);
      await exited;
    },
  };
}

/** Nothing of the sandbox is made before it is told what to be. */
async function begin(orders: Writable, { start, group, ...order }: StartOptions): Promise<void> {
  try {
    await group;
    orders.write(startOrder(order, [...AGENT_ARGV, '/__modal/run']));
  } catch (cause) {
    start.child.kill('SIGKILL');
    // Of its own end it has said itself why.
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')) throw cause;
  }
}

/** Resolves with the listeners once the agent takes orders. */
async function started(
  { start, listenPorts }: StartOptions,
  begun: Promise<void>,
): Promise<Map<number, Server>> {
  const handing = handedListeners(start.child, listenPorts.length);
  const steps = await Promise.allSettled([begun, ready(start), handing]);
  const [, , handed] = steps;
  const listeners = handed.status === 'fulfilled' ? handed.value : new Map<number, Server>();
  for (const step of steps) {
    if (step.status === 'fulfilled') continue;
    for (const listener of listeners.values()) listener.close();
    killTree(start.child);
    throw step.reason;
  }
  return listeners;
}

function order(orders: Writable, line: string): void {
  if (orders.writable) orders.write(`${line}\n`);
}

function ready({ child, ended }: SandboxStart): Promise<void> {
  const signal = child.stdio[3] as Readable | null;
  return new Promise((resolve, reject) => {
    signal?.once('data', () => {
      signal.destroy();
      child.stderr?.destroy();
      resolve();
    });
    void ended.then(reject);
  });
}

/** Takes `count` listeners from the start, then closes the channel they came over; keeps none if they do not all come. */
function handedListeners(child: ChildProcess, count: number): Promise<Map<number, Server>> {
  const listeners = new Map<number, Server>();
  return new Promise((resolve, reject) => {
    const take = (message: unknown, handle: unknown) => {
      if (handle instanceof Server) listeners.set(idOf(message), handle);
      if (listeners.size === count) child.disconnect();
    };
    child.on('message', take);
    const settle = () => {
      child.off('message', take);
      if (listeners.size === count) resolve(listeners);
      else {
        for (const listener of listeners.values()) listener.close();
        reject(new SandboxStartError('The sandbox ended before its network was up.'));
      }
    };
    child.once('disconnect', settle);
    if (!child.connected) settle();
    else if (count === 0) child.disconnect();
  });
}

function idOf(message: unknown): number {
  return typeof message === 'object' && message !== null && 'id' in message ? Number(message.id) : 0;
}

/** Kills the agent first: its parent ends only after the kernel has emptied the agent's pid namespace. */
function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const agent = agentOf(child.pid);
  try {
    process.kill(agent ?? child.pid, 'SIGKILL');
  } catch {
    // It ended by itself in this very moment.
  }
}

function agentOf(parent: number): number | undefined {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim();
  const agent = Number(children.split(' ')[0]);
  return children !== '' && Number.isInteger(agent) ? agent : undefined;
}

/** A process that is its parent's child before and after its namespaces are opened is the same, and so are they. */
function openNamespaces(child: ChildProcess): Namespaces {
  const ended = () => new SandboxStartError('The sandbox has ended.');
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) throw ended();
  const agent = agentOf(child.pid);
  if (agent === undefined) throw ended();
  const network = openSync(`/proc/${agent}/ns/net`, 'r');
  try {
    const user = openSync(`/proc/${agent}/ns/user`, 'r');
    if (agentOf(child.pid) === agent) return { network, user };
    closeSync(user);
    throw ended();
  } catch (cause) {
    closeSync(network);
    throw cause;
  }
}
