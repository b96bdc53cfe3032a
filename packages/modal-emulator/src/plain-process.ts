// A sandbox that is none: the agent and its commands, as this user, on this machine's own files and network.
// 1. Only where SANDBOX_ISOLATION=none asks for it. 2. What its commands start ends with it, and with the emulator, unless
// it kills the agent first.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { interpreted } from './interpreters.ts';
import { AGENT, PLAIN, type SandboxProcess, type StartOptions } from './sandbox-process.ts';
import { SANDBOX_ENV, SandboxStartError } from './sandbox-starts.ts';
import { UnisolatedError } from './unisolated.ts';

/** Each kills what there is; what is left after so many makes more of itself faster than it is killed. */
const KILL_ROUNDS = 100;

export type PlainOptions = Pick<StartOptions, 'directory' | 'runDirectory' | 'group'>;

/** Throws SandboxStartError. */
export async function startPlainProcess({
  directory,
  runDirectory,
  group,
}: PlainOptions): Promise<SandboxProcess> {
  const home = join(directory, 'home');
  for (const path of [directory, home, runDirectory]) mkdirSync(path, { mode: 0o700 });
  const [interpreter = '', ...subreaper] = interpreted(['subreaper']);
  const agent = ['bash', ...PLAIN, '-c', AGENT, 'agent', runDirectory];
  const child = spawn(interpreter, [...subreaper, ...agent], {
    cwd: home,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    env: { ...SANDBOX_ENV, HOME: home },
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  await ready(child);
  if (child.pid !== undefined) await (await group).add(child.pid);
  const orders = child.stdin;
  orders?.on('error', () => {});
  const order = (line: string) => orders?.write(`${line}\n`);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const killAll = () => killDescendants(isRunning() ? child.pid : undefined);
  return {
    isIsolated: false,
    home,
    runDirectory,
    listeners: new Map(),
    exited,
    run: (runId) => order(`x ${runId}`),
    killGroup: (groupId) => order(`k ${groupId}`),
    killAll,
    openNamespaces: () => {
      throw new UnisolatedError('it has no namespaces of its own');
    },
    agent: () => (isRunning() ? child.pid : undefined),
    stop: async () => {
      killAll();
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  const signal = child.stdio[3] as Readable | null;
  return new Promise((resolve, reject) => {
    signal?.once('data', () => {
      signal.destroy();
      resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new SandboxStartError(`The agent ended with code ${code}.`)));
  });
}

/** Orphans are the agent's children, so none of them is missed while that lives. */
function killDescendants(agent: number | undefined): void {
  if (agent === undefined) return;
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const left = descendantsOf(agent);
    if (left.length === 0) return;
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in this very moment.
      }
    }
  }
}

function descendantsOf(ancestor: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const [, state, parent] = /^\d+ \(.*\) (\S) (\d+) /s.exec(read(`/proc/${name}/stat`)) ?? [];
    if (state === undefined || state === 'Z') continue;
    children.set(Number(parent), [...(children.get(Number(parent)) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (const next = [ancestor]; next.length > 0; ) {
    const own = children.get(next.pop() ?? 0) ?? [];
    found.push(...own);
    next.push(...own);
  }
  return found;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
