// Running a program as a sandbox's host user. As root, what others own on disk (the host's /usr, the layers of an image) is
// shown to it as its own, by mounts that map one user to the other: nothing is copied, and nothing on disk changes.
import { readFileSync } from 'node:fs';
import { isInstalled } from './confinement.ts';
import { isFiltered } from './system-call-filter.ts';

const SHIFT = readFileSync(new URL('./shift.pl', import.meta.url), 'utf8');
/** unshare and mount. */
const NUMBERS = { x64: [272, 165], arm64: [97, 40] } as const;

export interface Shift {
  /** Who owns the files on disk. */
  diskUser: number;
  source: string;
  /** An existing directory, relative to the program's working directory. */
  target: string;
}

export interface Launch {
  program: string;
  args: string[];
  uid: number | undefined;
  gid: number | undefined;
}

/** Absent `ownerId`: this user, who owns all there is; `shifts` are for root only, where `canShift`. */
export function asOwner(
  ownerId: number | undefined,
  argv: readonly string[],
  shifts: readonly Shift[] = [],
): Launch {
  if (ownerId === undefined || shifts.length === 0) return launch(argv, ownerId);
  const numbers = NUMBERS[isFiltered(process.arch) ? process.arch : 'x64'];
  const mounts = shifts.flatMap(({ diskUser, source, target }) => [String(diskUser), source, target]);
  const user = String(ownerId);
  const become = ['setpriv', '--reuid', user, '--regid', user, '--clear-groups'];
  return launch(
    ['perl', '-e', SHIFT, ...numbers.map(String), user, ...mounts, '--', ...become, ...argv],
    undefined,
  );
}

/** Whether there is what `asOwner` shifts with; whether the kernel and the file system allow it shows when it is done. */
export function canShift(): boolean {
  return isInstalled('perl') && isFiltered(process.arch);
}

function launch([program = 'true', ...args]: readonly string[], user: number | undefined): Launch {
  return { program, args, uid: user, gid: user };
}
