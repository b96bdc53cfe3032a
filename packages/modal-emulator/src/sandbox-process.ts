// One sandbox as a set of Linux processes: a host-side parent (`unshare`) and an agent that is PID 1 inside.
// 1. No process of it has the emulator's user, environment or descriptors, nor a system call that gets round
// its namespaces. 2. It ends when the emulator does, twice over:
// the kernel kills the parent with the emulator and the agent with the parent, and the agent ends with its order pipe.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { Server } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { SandboxCgroup } from './cgroups.ts';
import { PROGRAM_PATHS } from './confinement.ts';
import { asOwner, type Shift } from './ownership.ts';
import { loopbackSetup, type Namespaces } from './sandbox-sockets.ts';

const SETUP = readFileSync(new URL('./setup.sh', import.meta.url), 'utf8');
export const AGENT = readFileSync(new URL('./agent.sh', import.meta.url), 'utf8');
export const SANDBOX_ENV = {
  PATH: PROGRAM_PATHS.join(':'),
  HOME: '/root',
  LANG: 'C.UTF-8',
};
/** Bash takes a socket on stdin for a remote login, and would read the startup files of that user. */
export const PLAIN = ['--norc', '--noprofile'];
const NAMESPACES = ['--user', '--map-root-user', '--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];

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

export interface StartOptions {
  /** Where the sandbox is laid out. */
  directory: string;
  runDirectory: string;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
  /** What is shown to that user as its own. */
  shifts: readonly Shift[];
  /** From `volumeWords`. */
  volumes: readonly string[];
  /** From `confinement`. */
  confinement: readonly string[];
  /** Listened on inside, on 127.0.0.1. */
  listenPorts: readonly number[];
  group: SandboxCgroup;
  /** For each process alone, where no group bounds them together. */
  memoryBytesPerProcess: number | undefined;
}

/** Throws SandboxStartError with what setup complained of. */
export async function startSandboxProcess(options: StartOptions): Promise<SandboxProcess> {
  const { directory, runDirectory, ownerId, shifts, volumes, confinement, listenPorts, group } = options;
  const network = loopbackSetup(listenPorts);
  const unshare = [
    'unshare',
    '--fork',
    '--kill-child',
    ...NAMESPACES,
    'bash',
    ...PLAIN,
    '-c',
    SETUP,
    'setup',
    String(network.length),
    ...network,
    String(volumes.length),
    ...volumes,
    ...confinement,
    'bash',
    ...PLAIN,
    '-c',
    AGENT,
    'agent',
    '/__modal/run',
  ];
  const argv = [...closingDescriptors(), 'setpriv', '--pdeathsig', 'KILL', ...unshare];
  const { program, args, uid, gid } = asOwner(ownerId, argv, shifts);
  const child = spawn(program, args, {
    cwd: directory,
    uid,
    gid,
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...SANDBOX_ENV, DATA_KIB: kibibytes(options.memoryBytesPerProcess) },
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const listeners = await started(child, { group, listeners: listenPorts.length });
  const orders = child.stdin;
  if (orders === null) throw new TypeError('A sandbox starts with an order pipe; spawn gave none.');
  orders.on('error', () => {});
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

/** Resolves with the listeners once the agent takes orders, in its group. What setup complained of goes before other failures. */
async function started(
  child: ChildProcess,
  expected: { group: SandboxCgroup; listeners: number },
): Promise<Map<number, Server>> {
  const { group } = expected;
  const entering = child.pid === undefined ? undefined : group.add(child.pid);
  const [setup, handed, entered] = await Promise.allSettled([
    ready(child),
    handedListeners(child, expected.listeners),
    entering,
  ]);
  const listeners = handed.status === 'fulfilled' ? handed.value : new Map<number, Server>();
  try {
    for (const step of [setup, handed, entered]) if (step.status === 'rejected') throw step.reason;
    // It may have been made before its parent was in the group.
    const agent = child.pid === undefined ? undefined : agentOf(child.pid);
    if (agent !== undefined) await group.add(agent);
    return listeners;
  } catch (cause) {
    for (const listener of listeners.values()) listener.close();
    killTree(child);
    throw cause;
  }
}

function kibibytes(bytes: number | undefined): string {
  return bytes === undefined ? 'unlimited' : String(Math.ceil(bytes / 1024));
}

function order(orders: Writable, line: string): void {
  if (orders.writable) orders.write(`${line}\n`);
}

function ready(child: ChildProcess): Promise<void> {
  const complaints: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk));
  const signal = child.stdio[3] as Readable | null;
  return new Promise((resolve, reject) => {
    signal?.once('data', () => {
      signal.destroy();
      child.stderr?.destroy();
      resolve();
    });
    child.once('error', reject);
    // Not on `close`: a child whose channel was closed from here has none.
    child.once('exit', (code) => {
      const explain = () => {
        const text = Buffer.concat(complaints).toString('utf8').trim();
        reject(new SandboxStartError(`The sandbox's setup ended with code ${code}: ${text}`));
      };
      if (child.stderr === null || child.stderr.closed) explain();
      else child.stderr.once('close', explain);
    });
  });
}

/** Takes `count` listeners from the setup, then closes the channel they came over; keeps none if they do not all come. */
function handedListeners(child: ChildProcess, count: number): Promise<Map<number, Server>> {
  const listeners = new Map<number, Server>();
  return new Promise((resolve, reject) => {
    const take = (message: unknown, handle: unknown) => {
      if (handle instanceof Server) listeners.set(idOf(message), handle);
      if (listeners.size === count) child.disconnect();
    };
    child.on('message', take);
    child.once('disconnect', () => {
      child.off('message', take);
      if (listeners.size === count) resolve(listeners);
      else {
        for (const listener of listeners.values()) listener.close();
        reject(new SandboxStartError('The sandbox ended before its network was up.'));
      }
    });
    if (count === 0) child.disconnect();
  });
}

function idOf(message: unknown): number {
  return typeof message === 'object' && message !== null && 'id' in message ? Number(message.id) : 0;
}

export class SandboxStartError extends Error {
  override readonly name = 'SandboxStartError';
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

/** Descriptors this process was started with would pass to children, unless they say close-on-exec; `bash` closes them. */
function closingDescriptors(): string[] {
  const inherited = inheritedDescriptors();
  if (inherited.length === 0) return [];
  return ['bash', ...PLAIN, '-c', `exec ${inherited.map((fd) => `${fd}>&-`).join(' ')}; exec "$@"`, 'close'];
}

const CLOSE_ON_EXEC = 0o2000000;

function inheritedDescriptors(): number[] {
  const open: number[] = [];
  for (const name of readdirSync('/proc/self/fd')) {
    const info = readDescriptor(name);
    const flags = /^flags:\s*(\d+)/m.exec(info)?.[1];
    if (Number(name) > 4 && flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0)
      open.push(Number(name));
  }
  return open;
}

/** The listing's own descriptor is gone by the time it is read: that one has no flags to tell. */
function readDescriptor(name: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${name}`, 'utf8');
  } catch {
    return '';
  }
}
