// What a sandbox sees as "/": a private writable tree, the host's programs read-only, and nothing else of the host.
// Every path handed to `mount` is relative to the sandbox's directory, which the mapped user may be unable to name.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
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

/** Host configuration programs need; anything with secrets, users or networks in it is not here. */
const SHARED_ETC = [
  'alternatives',
  'bash.bashrc',
  'ca-certificates',
  'ca-certificates.conf',
  'debian_version',
  'inputrc',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'os-release',
  'perl',
  'pki',
  'profile',
  'protocols',
  'services',
  'ssl',
  'terminfo',
];
/** A sandbox may write these in place; the others of its /etc it can only replace. */
const OWN_ETC: Record<string, string> = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
  'resolv.conf': '',
};
const FIXED_ETC: Record<string, string> = {
  hostname: 'sandbox\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
};
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
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const DEVICE_LINKS: Record<string, string> = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
  ptmx: 'pts/ptmx',
};
/** Names the keys of the host user, who is the emulator's own where that is not root; not every kernel has it. */
const KEYS = 'proc/keys';
const PROGRAM_DIRECTORIES = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** What all sandboxes of an emulator have in common; made once per start. */
export interface Base {
  directory: string;
  /** Host directories that become mount points of the root, beside those in DIRECTORIES. */
  mounted: string[];
  /** Symlinks below `shared/`, hard-linked into each root: that is faster than making them and takes no inode. */
  links: string[];
}

/** Makes `modal/` (seen as /__modal), `dev/`, `shared/` and the `fstab` that setup.sh mounts. */
export function prepareBase(directory: string): Base {
  rmSync(directory, { recursive: true, force: true });
  for (const name of ['modal/etc', 'modal/run', 'dev/pts', 'dev/shm', 'shared/etc'])
    mkdirSync(join(directory, name), { recursive: true });
  copyEtc(join(directory, 'modal/etc'));
  for (const [name, text] of Object.entries(FIXED_ETC))
    writeFileSync(join(directory, 'modal/etc', name), text);
  for (const name of DEVICES) writeFileSync(join(directory, 'dev', name), '');
  for (const [name, target] of Object.entries(DEVICE_LINKS))
    symlinkSync(target, join(directory, 'dev', name));
  const etc = join(directory, 'shared/etc');
  for (const name of readdirSync(join(directory, 'modal/etc')))
    symlinkSync(`/__modal/etc/${name}`, join(etc, name));
  symlinkSync('/proc/self/mounts', join(etc, 'mtab'));
  const mounted: string[] = [];
  const links = readdirSync(etc).map((name) => join('etc', name));
  for (const name of PROGRAM_DIRECTORIES) {
    const host = lstatSync(join('/', name), { throwIfNoEntry: false });
    if (host?.isDirectory()) mounted.push(name);
    if (!host?.isSymbolicLink()) continue;
    symlinkSync(readlinkSync(join('/', name)), join(directory, 'shared', name));
    links.push(name);
  }
  writeFileSync(join(directory, 'fstab'), fstab(['usr', ...mounted]));
  return { directory, mounted, links };
}

export interface RootOptions {
  base: Base;
  /** The directory the agent finds its runs in. */
  runDirectory: string;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
}

/** Lays out one sandbox's directory, beside others in one next to the base: `root/`, and `run` for its runs. */
export function prepareRoot(directory: string, { base, runDirectory, ownerId }: RootOptions): void {
  const root = join(directory, 'root');
  const created = [directory, root, runDirectory];
  for (const path of created) mkdirSync(path, { mode: 0o700 });
  for (const name of [...DIRECTORIES, ...base.mounted]) created.push(makeDirectory(join(root, name)));
  for (const name of ['tmp', 'var/tmp']) chmodSync(join(root, name), 0o1777);
  for (const [name, text] of Object.entries(OWN_ETC)) created.push(makeFile(join(root, 'etc', name), text));
  for (const name of base.links) linkSync(join(base.directory, 'shared', name), join(root, name));
  symlinkSync(runDirectory, join(directory, 'run'));
  if (ownerId !== undefined) for (const path of created) lchownSync(path, ownerId, ownerId);
}

function copyEtc(target: string): void {
  const present = SHARED_ETC.map((name) => join('/etc', name)).filter((path) => existsSync(path));
  // What this user may not read is not public: cp skips it, reports it by its exit code, and goes on.
  spawnSync('cp', ['-R', '-H', '--preserve=mode,links', ...present, target], { stdio: 'ignore' });
  rmSync(join(target, 'ssl/private'), { recursive: true, force: true });
}

function fstab(programs: string[]): string {
  const here = '/proc/self/cwd';
  const base = `${here}/../../base`;
  const lines = [
    `${here}/root ${here}/root none bind,nosuid,nodev`,
    ...programs.map((name) => `/${name} ${here}/root/${name} none rbind,ro,nosuid,nodev`),
    `${base}/dev ${here}/root/dev none bind,ro,nosuid,noexec`,
    ...DEVICES.map((name) => `/dev/${name} ${here}/root/dev/${name} none bind`),
    `devpts ${here}/root/dev/pts devpts newinstance,ptmxmode=0666,mode=620`,
    `tmpfs ${here}/root/dev/shm tmpfs nosuid,nodev,mode=1777,size=64m`,
    `proc ${here}/root/proc proc nosuid,nodev,noexec`,
    `${here}/root/proc/sys ${here}/root/proc/sys none bind`,
    ...(existsSync(join('/', KEYS)) ? [`/dev/null ${here}/root/${KEYS} none bind`] : []),
    `${base}/modal ${here}/root/__modal none bind,ro,nosuid,nodev`,
    `${here}/run ${here}/root/__modal/run none bind,ro,nosuid,nodev,noexec`,
  ];
  return lines.map((line) => `${line} 0 0\n`).join('');
}

function makeDirectory(path: string): string {
  mkdirSync(path);
  return path;
}

function makeFile(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}
