// Contents: the directory in which workerd itself writes and serves what files are made of.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** workerd writes beside the place, hidden, and moves it there when all of it has come. */
const UNFINISHED = /^\..+\.tmp$/;

/** Makes the directory, and removes what was being written when a workerd died. Nothing may be writing there. */
export function openContents(dir: string): string {
  mkdirSync(dir, { recursive: true });
  sweepContents(dir, Number.POSITIVE_INFINITY);
  return dir;
}

/** Removes what was begun, not finished, and not been written to since `before`, epoch ms. */
export function sweepContents(dir: string, before: number): void {
  for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (!UNFINISHED.test(basename(path))) continue;
    const at = statSync(join(dir, path), { throwIfNoEntry: false })?.mtimeMs;
    if (at !== undefined && at < before) rmSync(join(dir, path), { force: true });
  }
}
