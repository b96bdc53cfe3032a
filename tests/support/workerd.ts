// The workerd of a running platform: the process that runs its Workers and holds every session.
import { readdirSync, readFileSync } from 'node:fs';
import type { Platform } from '../../scripts/platform.ts';

/** Kills it as a crash would, without a chance to end anything. The platform starts another. */
export function killWorkerd(platform: Platform): void {
  const host = platform.ready().pids.workers ?? 0;
  const workerd = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .find((entry) => isWorkerdOf(entry, host));
  if (workerd === undefined) throw new Error('no workerd found');
  process.kill(Number(workerd), 'SIGKILL');
}

function isWorkerdOf(pid: string, parent: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return stat.includes('(workerd') && fields[1] === String(parent);
  } catch {
    // It ended while it was looked at.
    return false;
  }
}
