// The processes of a platform, to be killed: the runtime, each program, or all of it.
import { readdirSync, readFileSync } from 'node:fs';
import type { Platform } from '../../scripts/platform.ts';

/** `workerd` is the runtime alone, `workers` the program that hosts it; `all` are all of them at once. */
export const TARGETS = ['workerd', 'workers', 'gateway', 'emulator', 'dev-model', 'all'] as const;
export type Target = (typeof TARGETS)[number];

/** Kills it without a warning. False: it is down already. */
export function kill(platform: Pick<Platform, 'ready'>, target: Target): boolean {
  const pids = pidsOf(platform, target);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone by itself in the meantime.
    }
  }
  return pids.length > 0;
}

function pidsOf(platform: Pick<Platform, 'ready'>, target: Target): number[] {
  const { dev: _, ...programs } = platform.ready().pids;
  const hosts = programs.workers === undefined ? [] : childrenOf(programs.workers, 'workerd');
  if (target === 'workerd') return hosts;
  if (target === 'all') return [...hosts, ...Object.values(programs)];
  const pid = programs[target];
  return pid === undefined ? [] : [pid];
}

/** The children of a program that match a name, e.g. the workerd under the Workers' host. */
function childrenOf(pid: number, name: string): number[] {
  return numbered('/proc').filter((child) => {
    const stat = textOf(`/proc/${child}/stat`);
    return stat.includes(`(${name}`) && stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid);
  });
}

/** Whether a command of these words runs: sandboxes are processes of this machine. */
export function runs(...words: string[]): boolean {
  const wanted = `${words.join('\0')}\0`;
  return numbered('/proc').some((pid) => textOf(`/proc/${pid}/cmdline`) === wanted);
}

function numbered(path: string): number[] {
  return readdirSync(path)
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
