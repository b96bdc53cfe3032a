// A directory for named pipes and scripts, which live for milliseconds: in memory where the system has a place for it, as
// disk file systems slow down when inodes come and go this fast. What a killed emulator left is removed by the next one.
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const PREFIX = join(MEMORY, 'capstan-emulator-');

export interface VolatileDirectory {
  path: string;
  remove(): void;
}

/** Other users may pass through it, not list it. `stateDir` remembers where it is. */
export function makeVolatileDirectory(stateDir: string): VolatileDirectory {
  const pointer = join(stateDir, 'volatile');
  removeTarget(pointer);
  rmSync(pointer, { recursive: true, force: true });
  if (hasMemory()) symlinkSync(mkdtempSync(PREFIX), pointer);
  else mkdirSync(pointer);
  chmodSync(pointer, 0o711);
  const remove = () => {
    removeTarget(pointer);
    rmSync(pointer, { recursive: true, force: true });
  };
  return { path: targetOf(pointer) ?? pointer, remove };
}

function removeTarget(pointer: string): void {
  const target = targetOf(pointer);
  if (target?.startsWith(PREFIX)) rmSync(target, { recursive: true, force: true });
}

function targetOf(pointer: string): string | undefined {
  try {
    return readlinkSync(pointer);
  } catch {
    return undefined;
  }
}

function hasMemory(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
