// Memory of process trees, from /proc: resident, and the share that counts pages several processes use only once.
import { readdirSync, readFileSync } from 'node:fs';

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
  const stat = slurp(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields?.[1] === undefined ? null : Number(fields[1]);
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
