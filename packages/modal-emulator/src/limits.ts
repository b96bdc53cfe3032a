// What one sandbox may take of this machine, and by what means it is held to that. Every sandbox has limits, said or not:
// one that takes all there is would take it from the others.
import { statfsSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { Cgroups, CgroupVersion } from './cgroups.ts';
import { type DiskUse, diskUse, treeUse } from './disk-use.ts';
import type { Watched } from './disk-watch.ts';
import type { Run } from './run.ts';
import type { SandboxProcess } from './sandbox-process.ts';
import type { Resources } from './wire.ts';

const MIB = 1024 * 1024;
/** As start-order.ts has it for where there is no control group. */
const PROCESSES = 640;
const MOST_MEMORY_UNASKED = 8192 * MIB;
const MOST_DISK_UNASKED = 16_384 * MIB;
/** One inode for so much of the disk, as file systems have about as many. */
const BYTES_PER_FILE = 16 * 1024;

export interface SandboxLimits {
  memoryBytes: number;
  processes: number;
  diskBytes: number;
  files: number;
  milliCpu?: number;
  milliCpuMax?: number;
}

/** By what a sandbox is held to each limit; `rlimit` of memory bounds each process, not their sum. */
export interface LimitLevels {
  cpu: CgroupVersion | 'none';
  memory: CgroupVersion | 'rlimit';
  pids: CgroupVersion | 'rlimit';
  /** Measured while it grows; what goes beyond is stopped a moment later. */
  disk: 'watched';
}

/** Half the machine's memory and a quarter of its free disk at most, unless more is asked for, or `diskBytes` says so. */
export function limitsOf(
  resources: Resources | undefined,
  { stateDir, diskBytes }: { stateDir: string; diskBytes: number | undefined },
): SandboxLimits {
  const { milliCpu = 0, milliCpuMax = 0, memoryMb = 0, memoryMbMax = 0 } = resources ?? {};
  const memoryUnasked = Math.min(totalmem() / 2, MOST_MEMORY_UNASKED);
  const disk = diskBytes ?? diskUnasked(stateDir);
  const limits: SandboxLimits = {
    memoryBytes: Math.floor(memoryMbMax > 0 ? memoryMbMax * MIB : Math.max(memoryMb * MIB, memoryUnasked)),
    processes: PROCESSES,
    diskBytes: disk,
    files: Math.ceil(disk / BYTES_PER_FILE),
  };
  if (milliCpu > 0) limits.milliCpu = milliCpu;
  if (milliCpuMax > 0) limits.milliCpuMax = milliCpuMax;
  return limits;
}

function diskUnasked(stateDir: string): number {
  const { bavail, bsize } = statfsSync(stateDir);
  return Math.min((bavail * bsize) / 4, MOST_DISK_UNASKED);
}

export interface DiskGuardOptions {
  directory: string;
  /** Where the sandbox has it, for a volume; absent: all else that it has. */
  volumePath?: string;
  limits: SandboxLimits;
  process: SandboxProcess;
  runs(): Iterable<Run>;
  /** Told with why its processes were killed, or why it has to end. */
  onStopped(why: string): void;
  onEnded(why: string): void;
}

/**
 * Kills what runs in a sandbox that is over its disk, which stays, so that somebody can clear it up. A volume may be as
 * large, for itself; whoever can write to one that is larger is stopped.
 */
export function diskGuard(options: DiskGuardOptions): Watched {
  const { directory, volumePath, limits, process, runs } = options;
  const { diskBytes, files } = limits;
  const what = volumePath === undefined ? 'The sandbox' : `Its volume at /${volumePath}`;
  const why = (use: DiskUse) =>
    `${what} has ${mebibytes(use.bytes)} MiB in ${use.files} files on the disk, of ${mebibytes(diskBytes)} MiB in ${files} files that it may have.`;
  return {
    diskBytes,
    files,
    measure: () => (volumePath === undefined ? diskUse : treeUse)(directory, process),
    onExceeded: (use) => {
      const running = [...runs()];
      for (const run of running)
        run.stderr.append(Buffer.from(`\n[${why(use)} Its commands were killed.]\n`));
      process.killAll();
      options.onStopped(why(use));
      return Promise.all(running.map(({ exited }) => exited));
    },
    onPast: (use) => options.onEnded(why(use)),
  };
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / MIB);
}

export function limitLevels({ versions }: Cgroups): LimitLevels {
  return {
    cpu: versions.cpu ?? 'none',
    memory: versions.memory ?? 'rlimit',
    pids: versions.pids ?? 'rlimit',
    disk: 'watched',
  };
}
