// What a sandbox sees as "/": a private writable tree, its image, the host's programs, and nothing else of the host. Where
// the kernel lays one directory over another (`layers`), /usr is writable too and images are shared; elsewhere
// (`copies`) /usr is read-only and each sandbox gets a copy of its image.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { copyEtc, copyPackageRecord, hasPackages, OWN_ETC, PACKAGES } from './host-etc.ts';
import { commonLines, DEVICES, HERE, overlayLines, partNames, plainLines } from './mount-table.ts';
import type { Shift } from './ownership.ts';

export type Layout = 'layers' | 'copies';

const DIRECTORIES = [
  'dev',
  'etc',
  'home',
  'mnt',
  'opt',
  'proc',
  'root',
  'run',
  'srv',
  'sys',
  'tmp',
  'usr',
  'var',
  'var/cache',
  'var/lib',
  'var/log',
  'var/tmp',
  'workspace',
  '__modal',
];
const DEVICE_LINKS: Record<string, string> = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
  ptmx: 'pts/ptmx',
};
const PROGRAM_DIRECTORIES = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
/** Who owns the layers of images on disk when root runs the emulator: nobody who runs anything. */
export const IMAGE_USER = 231_070;

/** What the host has in "/" for programs: directories of their own on some systems, links into /usr on others. */
export interface Programs {
  mounted: string[];
  links: Link[];
}

type Link = [name: string, target: string];

/** What all sandboxes of an emulator have in common; made once per start. */
export interface Base {
  directory: string;
  programs: Programs;
  /** Symlinks in `links/`, hard-linked into roots that are copies: faster than making them, and no inode. */
  links: string[];
  /** The part of a sandbox's mount table that is the same for all. */
  lines: string[];
}

/**
 * Makes `modal/` (seen as /__modal), `dev/` and `layer/`, the lowest of every root directory. Directories to lay over the
 * host's programs are made elsewhere, in `programs/` beside it.
 */
export function prepareBase(directory: string): Base {
  rmSync(directory, { recursive: true, force: true });
  for (const name of ['modal/etc', 'modal/run', 'dev/pts', 'dev/shm', 'links/etc'])
    mkdirSync(join(directory, name), { recursive: true });
  const etc = join(directory, 'modal/etc');
  copyEtc(etc);
  for (const name of DEVICES) writeFileSync(join(directory, 'dev', name), '');
  for (const [name, target] of Object.entries(DEVICE_LINKS))
    symlinkSync(target, join(directory, 'dev', name));
  const programs = programDirectories();
  const etcLinks = readdirSync(etc).map((name): Link => [`etc/${name}`, `/__modal/etc/${name}`]);
  const everywhere: Link[] = [['etc/mtab', '/proc/self/mounts'], ...programs.links];
  const links = [...etcLinks, ...everywhere];
  for (const [name, target] of links) symlinkSync(target, join(directory, 'links', name));
  const layer = join(directory, 'layer');
  makeTree(layer, programs.mounted);
  for (const [name, target] of everywhere) symlinkSync(target, join(layer, name));
  spawnSync('cp', ['-al', `${etc}/.`, join(layer, 'etc')], { stdio: 'ignore' });
  if (hasPackages()) {
    mkdirSync(join(layer, PACKAGES));
    copyPackageRecord(makeDirectory(join(directory, 'packages')));
  }
  const lines = commonLines(`${HERE}/../../base`, programs.mounted);
  return { directory, programs, links: links.map(([name]) => name), lines };
}

export interface RootOptions {
  base: Base;
  layout: Layout;
  /** The directory the agent finds its runs in. */
  runDirectory: string;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
  /** Directories of the image's layers, lowest first; with `layers` only. */
  layers: readonly string[];
  /** A copy of another sandbox's changes comes into `changesOf`. */
  isPlanted: boolean;
}

export interface PreparedRoot {
  /** What root has to show the sandbox as its own. */
  shifts: Shift[];
  /** Its mount table. */
  lines: string[];
}

/**
 * Lays out one sandbox's directory, beside others in one next to the base: `root/`, `run` for its runs and, with layers,
 * `upper/`, where the sandbox's changes go.
 */
export function prepareRoot(directory: string, options: RootOptions): PreparedRoot {
  const { base, runDirectory, ownerId, layers } = options;
  const created = [directory, runDirectory];
  for (const path of created) mkdirSync(path, { mode: 0o700 });
  symlinkSync(runDirectory, join(directory, 'run'));
  const isLayered = options.layout === 'layers';
  const lines = [...(isLayered ? overlayLines(layers) : plainLines()), ...base.lines];
  const root = join(directory, 'root');
  if (isLayered) {
    for (const name of ['root', 'lower']) created.push(makeDirectory(join(directory, name)));
    for (const name of ['upper', 'work'])
      for (const part of ['', ...partNames()]) created.push(makeDirectory(join(directory, name, part)));
  } else if (options.isPlanted) created.push(makeDirectory(root));
  else {
    created.push(...makeTree(root, base.programs.mounted));
    for (const name of base.links) linkSync(join(base.directory, 'links', name), join(root, name));
  }
  if (ownerId !== undefined) for (const path of created) lchownSync(path, ownerId, ownerId);
  return { shifts: isLayered ? placeLower(directory, options) : [], lines };
}

/** Where a sandbox's changes are, as the sandbox's user reads and writes them: all its image adds to the base, too. */
export function changesOf(directory: string, layout: Layout): string {
  return join(directory, layout === 'layers' ? 'upper' : 'root');
}

/** Names everything below the sandbox's changes in `lower/`: by a link, or by a mount point that root fills. */
function placeLower(directory: string, { base, ownerId, layers }: RootOptions): Shift[] {
  const lower: [name: string, source: string, diskUser: number][] = [
    ['host', '/usr', 0],
    ['programs', join(base.directory, '../programs'), 0],
    ['base', join(base.directory, 'layer'), 0],
    ...(hasPackages() ? packageLayers(base) : []),
    ...layers.map((source, index): [string, string, number] => [String(index), source, IMAGE_USER]),
  ];
  return lower.flatMap(([name, source, diskUser]) => {
    const target = join('lower', name);
    if (ownerId === undefined) symlinkSync(source, join(directory, target));
    else mkdirSync(join(directory, target));
    return ownerId === undefined ? [] : [{ diskUser, source, target }];
  });
}

function packageLayers({ directory }: Base): [name: string, source: string, diskUser: number][] {
  return [
    ['packages', join(directory, 'packages'), 0],
    ['host-packages', PACKAGES, 0],
  ];
}

function makeTree(root: string, mounted: readonly string[]): string[] {
  const created = [makeDirectory(root)];
  for (const name of [...DIRECTORIES, ...mounted]) created.push(makeDirectory(join(root, name)));
  for (const name of ['tmp', 'var/tmp']) chmodSync(join(root, name), 0o1777);
  for (const [name, text] of Object.entries(OWN_ETC)) created.push(makeFile(join(root, 'etc', name), text));
  return created;
}

function programDirectories(): Programs {
  const mounted: Programs['mounted'] = [];
  const links: Programs['links'] = [];
  for (const name of PROGRAM_DIRECTORIES) {
    const host = lstatSync(join('/', name), { throwIfNoEntry: false });
    if (host?.isDirectory()) mounted.push(name);
    if (host?.isSymbolicLink()) links.push([name, readlinkSync(join('/', name))]);
  }
  return { mounted, links };
}

function makeDirectory(path: string): string {
  mkdirSync(path);
  return path;
}

function makeFile(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}
