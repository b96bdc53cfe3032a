// What of the host's /etc sandboxes see, and what they know of its packages: what programs need, and nothing that may hold a
// secret, a user or a network of the host.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
/** Debian keeps there what its Java does not start without. */
const JAVA = /^java-\d+-openjdk$/;
/** Who may look into the host's own JVMs. */
const JAVA_SECRETS = ['jmxremote.password', 'jmxremote.access', 'snmp.acl'];
/** A sandbox may write these in place; the others of its /etc it can only replace. */
export const OWN_ETC: Record<string, string> = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
  'resolv.conf': '',
};
const FIXED_ETC: Record<string, string> = {
  hostname: 'sandbox\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
};
/** Where packages come from and who signs them; not what apt logs in with, nor through which proxy it goes. */
const SHARED_APT = [
  'sources.list',
  'sources.list.d',
  'trusted.gpg',
  'trusted.gpg.d',
  'keyrings',
  'preferences',
  'preferences.d',
];
/** A sandbox has no other user that apt could become. */
const APT_SETTINGS = 'APT::Sandbox::User "root";\n';
/** Locks that only the host's root may read, and owners that a sandbox does not have. */
const OWN_RECORD = ['lock', 'lock-frontend', 'triggers/Lock', 'statoverride'];
/** The index of manual pages belongs to a user that a sandbox does not have, and makes every installation slow. */
const MAN_PAGES = /^.* man-db(\/.*)?\n/gm;
export const PACKAGES = '/var/lib/dpkg';

/** Fills the empty directory `target`. */
export function copyEtc(target: string): void {
  const java = namesIn('/etc').filter((name) => JAVA.test(name));
  copy(
    [...SHARED_ETC, ...java].map((name) => join('/etc', name)),
    target,
  );
  for (const name of java)
    for (const secret of JAVA_SECRETS) rmSync(join(target, name, 'management', secret), { force: true });
  rmSync(join(target, 'ssl/private'), { recursive: true, force: true });
  for (const [name, text] of Object.entries(FIXED_ETC)) writeFileSync(join(target, name), text);
  if (!hasPackages()) return;
  const apt = join(target, 'apt');
  mkdirSync(join(apt, 'apt.conf.d'), { recursive: true });
  writeFileSync(join(apt, 'apt.conf.d/01sandbox'), APT_SETTINGS);
  copy(
    SHARED_APT.map((name) => join('/etc/apt', name)),
    apt,
  );
  for (const name of [
    'sources.list',
    ...namesIn(join(apt, 'sources.list.d')).map((each) => `sources.list.d/${each}`),
  ])
    if (namesCredentials(join(apt, name))) rmSync(join(apt, name));
}

/** Whether the host has the packages of Debian and its kin. */
export function hasPackages(): boolean {
  return existsSync(join(PACKAGES, 'status'));
}

/** What goes over the host's record of its packages, so that a sandbox may change its own: fills the empty `target`. */
export function copyPackageRecord(target: string): void {
  copy(
    namesIn(PACKAGES)
      .filter((name) => name !== 'info')
      .map((name) => join(PACKAGES, name)),
    target,
  );
  for (const name of ['info', 'triggers']) mkdirSync(join(target, name), { recursive: true });
  for (const name of OWN_RECORD) writeFileSync(join(target, name), '');
  const triggers = join(target, 'triggers/File');
  if (existsSync(triggers)) writeFileSync(triggers, readFileSync(triggers, 'utf8').replace(MAN_PAGES, ''));
}

function copy(paths: string[], target: string): void {
  const present = paths.filter((path) => existsSync(path));
  if (present.length === 0) return;
  // What this user may not read is not public: cp skips it, reports it by its exit code, and goes on.
  spawnSync('cp', ['-R', '-H', '--preserve=mode,links', ...present, target], { stdio: 'ignore' });
}

function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function namesCredentials(file: string): boolean {
  return existsSync(file) && /:\/\/[^/\s]*@/.test(readFileSync(file, 'utf8'));
}
