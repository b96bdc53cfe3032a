// Memory and processor time of process trees, from /proc. Memory: resident, and the share that counts pages several processes use only once.
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, which is 100 on Linux wherever it is asked. */
const MS_PER_TICK = 10;

export interface ProcessMemory {
  pid: number;
  name: string;
  rssMiB: number;
  pssMiB: number;
}

/** The processes and all their descendants, largest first. */
export function memoryOf(pids: readonly number[]): ProcessMemory[] {
  return treeOf(pids)
    .flatMap((pid) => read(pid) ?? [])
    .sort((a, b) => b.rssMiB - a.rssMiB);
}

/** What the processes and all their descendants have used so far, in user and kernel mode, ms. */
export function processorMsOf(pids: readonly number[]): number {
  const ticks = treeOf(pids).flatMap((pid) => statOf(pid)?.slice(11, 13) ?? []);
  return ticks.reduce((sum, value) => sum + Number(value) * MS_PER_TICK, 0);
}

function treeOf(pids: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    const parent = /^\d+$/.test(entry) ? parentOf(Number(entry)) : null;
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const seen = new Set<number>();
  const visit = (pid: number) => {
    if (seen.has(pid)) return;
    seen.add(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  for (const pid of pids) visit(pid);
  return [...seen];
}

/** A process may end while it is looked at. */
function slurp(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function parentOf(pid: number): number | null {
  const parent = statOf(pid)?.[1];
  return parent === undefined ? null : Number(parent);
}

/** The fields behind the name, which may have anything in it. */
function statOf(pid: number): string[] | undefined {
  const stat = slurp(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function read(pid: number): ProcessMemory | null {
  const status = slurp(`/proc/${pid}/status`);
  if (status === null) return null;
  const rollup = slurp(`/proc/${pid}/smaps_rollup`) ?? '';
  const mebibytes = (text: string, field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return {
    pid,
    name: /^Name:\s+(\S+)/m.exec(status)?.[1] ?? '?',
    rssMiB: mebibytes(status, 'VmRSS'),
    pssMiB: mebibytes(rollup, 'Pss'),
  };
}
