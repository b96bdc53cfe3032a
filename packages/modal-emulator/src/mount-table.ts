// What is mounted for a sandbox, as lines of a table for `mount --all` or as the system calls that come to the same. Paths go
// through the working directory of the one who mounts: the sandbox's own, whose parents its user may be unable to walk.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasPackages, PACKAGES } from './host-etc.ts';

export const HERE = '/proc/self/cwd';
export const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
/** Names the keys of the host user, who is the emulator's own where that is not root; not every kernel has it. */
const KEYS = 'proc/keys';

/** Lines for everything but the root directory itself; `programs` are names of directories in "/". */
export function commonLines(base: string, programs: readonly string[]): string[] {
  return [
    ...programs.flatMap(readOnlyLines),
    `${base}/dev ${HERE}/root/dev none bind,ro,nosuid,noexec`,
    ...DEVICES.map((name) => `/dev/${name} ${HERE}/root/dev/${name} none bind`),
    `devpts ${HERE}/root/dev/pts devpts newinstance,ptmxmode=0666,mode=620`,
    `tmpfs ${HERE}/root/dev/shm tmpfs nosuid,nodev,mode=1777,size=64m`,
    `proc ${HERE}/root/proc proc nosuid,nodev,noexec`,
    `${HERE}/root/proc/sys ${HERE}/root/proc/sys none bind`,
    ...(existsSync(join('/', KEYS)) ? [`/dev/null ${HERE}/root/${KEYS} none bind`] : []),
    `${base}/modal ${HERE}/root/__modal none bind,ro,nosuid,nodev`,
    `${HERE}/run ${HERE}/root/__modal/run none bind,ro,nosuid,nodev,noexec`,
  ];
}

/** A root directory that is one plain tree, and the host's /usr as it is. */
export function plainLines(): string[] {
  return [`${HERE}/root ${HERE}/root none bind,nosuid,nodev`, ...readOnlyLines('usr')];
}

/** An overlay of a sandbox: its name in `upper/`, `work/` and each layer, and what is below all layers, in `lower/`. */
interface Part {
  name: string;
  /** In the root directory. */
  target: string;
  lowest: string[];
}
const PARTS: readonly Part[] = [
  { name: 'root', target: '', lowest: ['base'] },
  { name: 'usr', target: '/usr', lowest: ['programs', 'host'] },
];
const PACKAGES_PART: Part = { name: 'packages', target: PACKAGES, lowest: ['packages', 'host-packages'] };

export function partNames(): string[] {
  return parts().map(({ name }) => name);
}

/** The sandbox's own changes over its image's layers, given lowest first, which are 0, 1, ... in `lower/`, over the host. */
export function overlayLines(layers: readonly string[]): string[] {
  const overlays = parts().map(({ name, target, lowest }) => {
    // A host that had no packages when the layer was made has left none in it.
    const present = layers.flatMap((layer, index) =>
      existsSync(`${layer}/${name}`) ? [`${index}/${name}`] : [],
    );
    const lower = [...present.toReversed(), ...lowest].map((each) => `lower/${each}`).join(':');
    const directories = `lowerdir=${lower},upperdir=upper/${name},workdir=work/${name}`;
    return `overlay ${HERE}/root${target} overlay ${directories},userxattr,nosuid,nodev`;
  });
  return [...overlays, ...bindLines(mountsBelow('/usr'))];
}

function parts(): readonly Part[] {
  return hasPackages() ? [...PARTS, PACKAGES_PART] : PARTS;
}

export function toTable(lines: readonly string[]): string {
  return lines.map((line) => `${line} 0 0\n`).join('');
}

const [BIND, RECURSIVE, REMOUNT] = [0x1000, 0x4000, 0x20];
/** Flags of mount(2) by the options they are; all other options are for the kind of file system. */
const FLAGS: Readonly<Record<string, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: REMOUNT,
  bind: BIND,
  rbind: BIND | RECURSIVE,
};

/** The calls of mount(2), five words each: source, target, type, flags and options. */
export function mountWords(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [source = '', target = '', type = '', options = ''] = line.split(' ');
    const names = options.split(',');
    const flags = names.reduce((set, name) => set | (FLAGS[name] ?? 0), 0);
    const others = names.filter((name) => FLAGS[name] === undefined).join(',');
    const kind = type === 'none' ? '' : type;
    const call = (set: number) => [unescaped(source), unescaped(target), kind, String(set), others];
    const binding = flags & (BIND | RECURSIVE);
    if (binding === 0 || binding === flags || (flags & REMOUNT) !== 0) return call(flags);
    // To bind takes no other flags: what it made is then given them.
    return [...call(binding), ...call((flags & ~RECURSIVE) | REMOUNT)];
  });
}

function readOnlyLines(name: string): string[] {
  const below = mountsBelow(`/${name}`);
  return [`/${name} ${HERE}/root/${name} none rbind,ro,nosuid,nodev`, ...below.map(toReadOnly)];
}

interface Mount {
  /** As the kernel writes it. */
  point: string;
  isNoexec: boolean;
}

function mountsBelow(directory: string): Mount[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [, , , , point = '', options = ''] = line.split(' ');
    if (!point.startsWith(`${directory}/`) || !existsSync(unescaped(point))) return [];
    return [{ point, isNoexec: options.split(',').includes('noexec') }];
  });
}

/** A layer shows what lies on its own file system: the rest is brought along with all that is mounted below it. */
function bindLines(mounts: readonly Mount[]): string[] {
  const highest = mounts.filter(({ point }) => !mounts.some((other) => point.startsWith(`${other.point}/`)));
  const bound = highest.map(({ point }) => `${point} ${HERE}/root${point} none rbind`);
  return [...bound, ...mounts.map(toReadOnly)];
}

/** One by one: read-only is a property of one mount, and "no programs" stays where the host has it. */
function toReadOnly({ point, isNoexec }: Mount): string {
  return `none ${HERE}/root${point} none remount,bind,ro,nosuid,nodev${isNoexec ? ',noexec' : ''}`;
}

/** The kernel writes blanks, line ends and backslashes as octal, and reads them so. */
function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
