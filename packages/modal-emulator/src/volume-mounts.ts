// Where a sandbox sees its volumes. What is asked for is judged here; the way down each path is gone by start.pl, where
// nothing that a sandbox left in an image or a volume can lead it elsewhere.
import { lchownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { canShift, type Shift } from './ownership.ts';
import type { VolumeMountRequest } from './wire.ts';

/** Where the kernel's file systems, the host's programs and the sandbox's own workings are. */
const TAKEN = ['proc', 'sys', 'dev', '__modal'];
const TAKEN_WHOLE = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'etc'];
const MAX_MOUNTS = 32;
const MAX_PATH = 1024;

export class VolumeMountError extends Error {
  override readonly name = 'VolumeMountError';
}

/** Paths have no empty step, no `.` and no `..`, and do not begin with a slash. */
export interface VolumeMount {
  volumeId: string;
  /** Not empty. */
  path: string;
  /** Of the volume; '': all of it. */
  subPath: string;
  isReadOnly: boolean;
}

/** A volume's files, which stay until `release`. */
export interface HeldVolume {
  directory: string;
  /** Who owns them on disk; absent: this user. */
  diskUser: number | undefined;
  release(): void;
}

export type PlacedVolume = VolumeMount & HeldVolume;

/** Throws VolumeMountError for what cannot be mounted. */
export function parseVolumeMounts(requested: readonly VolumeMountRequest[]): VolumeMount[] {
  if (requested.length > MAX_MOUNTS)
    throw new VolumeMountError(`A sandbox has at most ${MAX_MOUNTS} volumes; these are ${requested.length}.`);
  const mounts = requested.map(parseVolumeMount);
  const paths = mounts.map(({ path }) => path).sort();
  for (const [index, path] of paths.entries()) {
    const outer = paths.slice(0, index).find((other) => path === other || path.startsWith(`${other}/`));
    if (outer !== undefined)
      throw new VolumeMountError(
        `Volumes at /${outer} and /${path} would hide each other: choose paths apart.`,
      );
  }
  return mounts;
}

function parseVolumeMount({ volumeId, mountPath, readOnly, subPath }: VolumeMountRequest): VolumeMount {
  if (!mountPath.startsWith('/'))
    throw new VolumeMountError(`A volume's path is absolute; ${JSON.stringify(mountPath)} is not.`);
  const path = stepsOf(mountPath);
  const [first = ''] = path;
  if (path.length === 0 || TAKEN.includes(first) || (path.length === 1 && TAKEN_WHOLE.includes(first)))
    throw new VolumeMountError(`There can be no volume at ${mountPath}: choose another path, such as /data.`);
  return { volumeId, path: path.join('/'), subPath: stepsOf(subPath ?? '').join('/'), isReadOnly: readOnly };
}

function stepsOf(path: string): string[] {
  const steps = path.split('/').filter((step) => step !== '' && step !== '.');
  if (path.length > MAX_PATH || path.includes('\0') || steps.includes('..'))
    throw new VolumeMountError(
      `A volume's path has no "..", no NUL and ${MAX_PATH} characters at most; ${JSON.stringify(path)} does not do.`,
    );
  return steps;
}

/** Puts the volumes into a sandbox's directory, as `volumes/0`, `volumes/1`, ... Returns what root has to show it as its own. */
export function placeVolumes(
  directory: string,
  { volumes, ownerId }: { volumes: readonly PlacedVolume[]; ownerId: number | undefined },
): Shift[] {
  if (volumes.length === 0) return [];
  if (ownerId !== undefined && !canShift())
    throw new VolumeMountError('Volumes need perl in a system directory when root runs the emulator.');
  const parent = join(directory, 'volumes');
  mkdirSync(parent);
  if (ownerId !== undefined) lchownSync(parent, ownerId, ownerId);
  return volumes.flatMap(({ directory: source, diskUser }, index) => {
    const target = join('volumes', String(index));
    if (diskUser === undefined || ownerId === undefined) {
      symlinkSync(source, join(directory, target));
      return [];
    }
    mkdirSync(join(directory, target));
    return [{ diskUser, source, target }];
  });
}

/** As start.pl reads them: four words each. */
export function volumeWords(volumes: readonly VolumeMount[]): string[] {
  return volumes.flatMap(({ path, subPath, isReadOnly }, index) => [
    String(index),
    isReadOnly ? 'ro' : 'rw',
    subPath,
    path,
  ]);
}
