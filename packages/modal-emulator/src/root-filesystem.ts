// What a sandbox sees as "/": a private writable tree, the host's programs read-only, and nothing else of the host.
// Every path handed to `mount` is relative to the sandbox's directory, which the mapped user may be unable to name.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lchownSync,
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
const OWN_ETC: Record<string, string> = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
  hostname: 'sandbox\n',
  'resolv.conf': '',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
};
const DIRECTORIES = [
  'dev',
  'dev/pts',
  'dev/shm',
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
const PROGRAM_DIRECTORIES = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

/** Makes the tree all sandboxes share read-only as `/__modal`: public configuration and the place for runs. */
export function prepareBase(base: string): void {
  rmSync(base, { recursive: true, force: true });
  mkdirSync(join(base, 'etc'), { recursive: true });
  mkdirSync(join(base, 'run'));
  const present = SHARED_ETC.map((name) => join('/etc', name)).filter((path) => existsSync(path));
  // What this user may not read is not public: cp skips it, reports it by its exit code, and goes on.
  spawnSync('cp', ['-R', '-H', '--preserve=mode,links', ...present, join(base, 'etc')], { stdio: 'ignore' });
  rmSync(join(base, 'etc/ssl/private'), { recursive: true, force: true });
  chmodSync(base, 0o755);
}

/** Lays out one sandbox's directory: `root/`, `run/` and the `fstab` that setup.sh mounts. `ownerId` is its host uid. */
export function prepareRoot(directory: string, base: string, ownerId: number | undefined): void {
  const root = join(directory, 'root');
  const created = [directory, root, join(directory, 'run')];
  for (const path of created) mkdirSync(path, { mode: 0o700 });
  for (const name of DIRECTORIES) created.push(makeDirectory(join(root, name)));
  for (const name of ['tmp', 'var/tmp']) chmodSync(join(root, name), 0o1777);
  for (const [name, text] of Object.entries(OWN_ETC)) created.push(makeFile(join(root, 'etc', name), text));
  for (const name of readdirSync(join(base, 'etc'))) {
    created.push(makeLink(join(root, 'etc', name), `/__modal/etc/${name}`));
  }
  created.push(makeLink(join(root, 'etc/mtab'), '/proc/self/mounts'));
  for (const name of DEVICES) created.push(makeFile(join(root, 'dev', name), ''));
  for (const [name, target] of Object.entries(DEVICE_LINKS)) {
    created.push(makeLink(join(root, 'dev', name), target));
  }
  const mounted: string[] = ['usr'];
  for (const name of PROGRAM_DIRECTORIES) {
    const host = lstatSync(join('/', name), { throwIfNoEntry: false });
    if (host?.isSymbolicLink()) created.push(makeLink(join(root, name), readlinkSync(join('/', name))));
    else if (host?.isDirectory()) {
      created.push(makeDirectory(join(root, name)));
      mounted.push(name);
    }
  }
  writeFileSync(join(directory, 'fstab'), fstab(mounted), { mode: 0o644 });
  if (ownerId !== undefined) for (const path of created) lchownSync(path, ownerId, ownerId);
}

function fstab(programs: string[]): string {
  const here = '/proc/self/cwd';
  const lines = [
    `${here}/root ${here}/root none bind,nosuid,nodev`,
    ...programs.map((name) => `/${name} ${here}/root/${name} none rbind,ro,nosuid,nodev`),
    ...DEVICES.map((name) => `/dev/${name} ${here}/root/dev/${name} none bind`),
    `devpts ${here}/root/dev/pts devpts newinstance,ptmxmode=0666,mode=620`,
    `tmpfs ${here}/root/dev/shm tmpfs nosuid,nodev,mode=1777,size=64m`,
    `proc ${here}/root/proc proc nosuid,nodev,noexec`,
    `${here}/root/proc/sys ${here}/root/proc/sys none bind`,
    `${here}/../../base ${here}/root/__modal none bind,ro,nosuid,nodev`,
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

function makeLink(path: string, target: string): string {
  symlinkSync(target, path);
  return path;
}
