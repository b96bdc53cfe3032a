// Control groups of sandboxes: what one may take of this machine's processors, memory and processes. Version 1 and 2 of
// the kernel's interface, each controller where it can be had, below the group the emulator runs in.
// 1. A sandbox is in its groups before anything of it runs. 2. What a killed emulator left is removed by the next one.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

export const CONTROLLERS = ['cpu', 'memory', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];
export type CgroupVersion = 'cgroup1' | 'cgroup2';

export interface CgroupLimits {
  memoryBytes: number;
  processes: number;
  /** In thousandths of a processor: what it may use at most; absent: all there are. */
  milliCpuMax?: number;
  /** Its share against other sandboxes; absent: that of a whole processor. */
  milliCpu?: number;
}

/** Where the kernel describes the groups of this process; tests have one of their own. */
export interface CgroupSource {
  mountInfo: string;
  ownGroups: string;
}

/** Optional: not every kernel has the file. */
type Settings = readonly (readonly [file: string, value: string | number, optional?: 'optional'])[];
export type Hierarchy = { version: CgroupVersion; directory: string };

const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
/** All sandboxes together count as one other program for each processor, of which each counts 1024. */
const SHARES_OF_ALL = 1024 * availableParallelism();
/** Emptied groups stay busy for a moment. */
const REMOVAL_TRIES = 20;
const REMOVAL_MS = 50;

export class Cgroups {
  /** Controllers that this machine gives us. */
  readonly versions: Readonly<Partial<Record<Controller, CgroupVersion>>>;
  readonly #hierarchies: ReadonlyMap<Controller, Hierarchy>;

  /** `name` tells the groups of one emulator from those of another. */
  constructor(name: string, source: CgroupSource = kernelSource()) {
    const group = `capstan-${process.pid}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
    this.#hierarchies = hierarchies(parseMounts(source), group);
    const cpu = this.#hierarchies.get('cpu');
    if (cpu?.version === 'cgroup1') writeFileSync(join(cpu.directory, 'cpu.shares'), String(SHARES_OF_ALL));
    if (cpu?.version === 'cgroup2') writeFileSync(join(cpu.directory, 'cpu.weight'), weight(SHARES_OF_ALL));
    this.versions = Object.fromEntries([...this.#hierarchies].map(([key, { version }]) => [key, version]));
  }

  /** Without limits, until it is given them. */
  async create(name: string): Promise<SandboxCgroup> {
    const places = [...this.#hierarchies].map(
      ([controller, { version, directory }]) =>
        [controller, { version, directory: join(directory, name) }] as const,
    );
    const group = new SandboxCgroup(new Map(places));
    await Promise.all(group.directories.map((directory) => mkdir(directory)));
    return group;
  }

  /** Removes the groups it made; all sandboxes have ended. */
  close(): void {
    for (const { directory } of this.#hierarchies.values()) removeTree(directory);
  }
}

/** Removes the group where it does not get its limits. Nobody has to be told that it fails. */
export function withLimits(made: Promise<SandboxCgroup>, limits: CgroupLimits): Promise<SandboxCgroup> {
  const group = made.then(async (each) => {
    try {
      await each.limit(limits);
      return each;
    } catch (cause) {
      void each.remove();
      throw cause;
    }
  });
  group.catch(() => {});
  return group;
}

/** The groups of one sandbox. */
export class SandboxCgroup {
  readonly directories: readonly string[];
  readonly #hierarchies: ReadonlyMap<Controller, Hierarchy>;

  constructor(hierarchies: ReadonlyMap<Controller, Hierarchy>) {
    this.directories = [...new Set([...hierarchies.values()].map(({ directory }) => directory))];
    this.#hierarchies = hierarchies;
  }

  /** Rejects when the kernel takes a limit not: a sandbox without one would be worse than none. */
  async limit(limits: CgroupLimits): Promise<void> {
    await Promise.all(
      [...this.#hierarchies].map(([controller, { version, directory }]) =>
        apply(directory, SETTINGS[version][controller](limits)),
      ),
    );
  }

  /** Those of its children that it makes from here on are in it too. */
  async add(pid: number): Promise<void> {
    await Promise.all(
      this.directories.map((directory) => writeFile(join(directory, 'cgroup.procs'), String(pid))),
    );
  }

  /** All its processes have ended. What cannot be removed is left to the next start. */
  async remove(): Promise<void> {
    await Promise.all(this.directories.map((directory) => removeSoon(directory, REMOVAL_TRIES)));
  }
}

const SETTINGS: Record<CgroupVersion, Record<Controller, (limits: CgroupLimits) => Settings>> = {
  cgroup1: {
    cpu: ({ milliCpu = 1000, milliCpuMax }) => [
      ['cpu.shares', Math.max(2, Math.round(milliCpu * 1.024))],
      ...quotaSettings('cgroup1', milliCpuMax),
    ],
    memory: ({ memoryBytes }) => [
      ['memory.limit_in_bytes', memoryBytes],
      ['memory.memsw.limit_in_bytes', memoryBytes, 'optional'],
    ],
    pids: ({ processes }) => [['pids.max', processes]],
  },
  cgroup2: {
    cpu: ({ milliCpu = 1000, milliCpuMax }) => [
      ['cpu.weight', weight(milliCpu * 1.024)],
      ...quotaSettings('cgroup2', milliCpuMax),
    ],
    memory: ({ memoryBytes }) => [
      ['memory.max', memoryBytes],
      ['memory.swap.max', 0, 'optional'],
    ],
    pids: ({ processes }) => [['pids.max', processes]],
  },
};

/** In order, as one may bound the next. */
async function apply(directory: string, settings: Settings): Promise<void> {
  for (const [name, value, optional] of settings) {
    const file = join(directory, name);
    if (optional === undefined || existsSync(file)) await writeFile(file, String(value));
  }
}

/** A kernel may have shares and no quotas: that matters to who asks for one. */
function quotaSettings(version: CgroupVersion, milliCpu: number | undefined): Settings {
  if (milliCpu === undefined) return [];
  const quota = Math.max(MIN_QUOTA_US, Math.round((milliCpu * PERIOD_US) / 1000));
  if (version === 'cgroup2') return [['cpu.max', `${quota} ${PERIOD_US}`]];
  return [
    ['cpu.cfs_period_us', PERIOD_US],
    ['cpu.cfs_quota_us', quota],
  ];
}

/** The kernel's own scale: 100 is what 1024 shares are. */
function weight(shares: number): string {
  return String(Math.min(10_000, Math.max(1, Math.round((shares * 100) / 1024))));
}

function kernelSource(): CgroupSource {
  try {
    return {
      mountInfo: readFileSync('/proc/self/mountinfo', 'utf8'),
      ownGroups: readFileSync('/proc/self/cgroup', 'utf8'),
    };
  } catch {
    return { mountInfo: '', ownGroups: '' };
  }
}

interface Mount {
  /** The directory of this process's own group. */
  own: string;
  /** Of version 1; version 2 lists its own. */
  controllers: readonly string[] | undefined;
}

function parseMounts({ mountInfo, ownGroups }: CgroupSource): Mount[] {
  const groups = ownGroups.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
    return path === undefined ? [] : [{ controllers: (controllers ?? '').split(','), path }];
  });
  return mountInfo.split('\n').flatMap((line) => {
    const [, root, point, type, options = ''] =
      /^\d+ \d+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
    if (root === undefined || point === undefined) return [];
    const listed = type === 'cgroup2' ? [''] : options.split(',');
    const path = groups.find(({ controllers }) => controllers.some((name) => listed.includes(name)))?.path;
    if (path === undefined) return [];
    const below = path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : path;
    return [{ own: join(point, below), controllers: type === 'cgroup2' ? undefined : listed }];
  });
}

/** Where a group of ours takes sandboxes under a controller, for each that this machine lets us have. */
function hierarchies(mounts: readonly Mount[], group: string): Map<Controller, Hierarchy> {
  const found = new Map<Controller, Hierarchy>();
  for (const { own, controllers } of mounts) {
    const version = controllers === undefined ? 'cgroup2' : 'cgroup1';
    const has = (controller: Controller) => controllers?.includes(controller) ?? passesOn(own, controller);
    const wanted = CONTROLLERS.filter((controller) => !found.has(controller) && has(controller));
    const directory = wanted.length === 0 ? undefined : fresh(join(own, group));
    if (directory === undefined) continue;
    for (const controller of wanted)
      if (version === 'cgroup1' || passesOn(directory, controller))
        found.set(controller, { version, directory });
  }
  return found;
}

/** A group can pass a controller on only while no process is in it, so the emulator makes way where it is alone. */
function passesOn(directory: string, controller: Controller): boolean {
  const file = join(directory, 'cgroup.subtree_control');
  const aside = join(directory, 'capstan-emulator');
  const enable = () => writeFileSync(file, `+${controller}`);
  try {
    if (readFileSync(file, 'utf8').split(/\s+/).includes(controller)) return true;
    if (!readFileSync(join(directory, 'cgroup.controllers'), 'utf8').split(/\s+/).includes(controller))
      return false;
    try {
      enable();
    } catch {
      mkdirSync(aside, { recursive: true });
      writeFileSync(join(aside, 'cgroup.procs'), String(process.pid));
      enable();
    }
    return true;
  } catch {
    return false;
  }
}

/** Beside it, what emulators left that have ended is removed. */
function fresh(directory: string): string | undefined {
  try {
    for (const name of readdirSync(dirname(directory))) {
      const owner = /^capstan-(\d+)-/.exec(name)?.[1];
      if (owner !== undefined && !isRunning(Number(owner))) removeTree(join(dirname(directory), name));
    }
    mkdirSync(directory, { recursive: true });
    return directory;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return !(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH');
  }
}

function removeTree(directory: string): void {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) removeQuietly(join(directory, entry.name));
  removeQuietly(directory);
}

function removeQuietly(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // The kernel still counts something in it.
  }
}

async function removeSoon(directory: string, tries: number): Promise<void> {
  try {
    await rmdir(directory);
  } catch (cause) {
    const busy = cause instanceof Error && 'code' in cause && cause.code === 'EBUSY';
    if (!busy || tries === 0) return;
    await new Promise((resolve) => setTimeout(resolve, REMOVAL_MS).unref());
    await removeSoon(directory, tries - 1);
  }
}
