// Running a program as a sandbox's host user. As root, what others own on disk (the host's /usr, the layers of an image) is
// shown to it as its own, by mounts that map one user to the other: nothing is copied, and nothing on disk changes.
import { interpreted, isInstalled } from './interpreters.ts';
import { isFiltered } from './system-call-filter.ts';

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
  const user = String(ownerId);
  const become = ['setpriv', '--reuid', user, '--regid', user, '--clear-groups'];
  const shift = interpreted(['shifts', 'shift'], 'perl');
  return launch([...shift, user, ...shiftWords(shifts), '--', ...become, ...argv], undefined);
}

/** As shifts.pl reads them: three words each. */
export function shiftWords(shifts: readonly Shift[]): string[] {
  return shifts.flatMap(({ diskUser, source, target }) => [String(diskUser), source, target]);
}

/** Whether there is what `asOwner` shifts with; whether the kernel and the file system allow it shows when it is done. */
export function canShift(): boolean {
  return isInstalled('perl') && isFiltered(process.arch);
}

function launch([program = 'true', ...args]: readonly string[], user: number | undefined): Launch {
  return { program, args, uid: user, gid: user };
}
