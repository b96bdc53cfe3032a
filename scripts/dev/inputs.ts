// Inputs: has what a build reads changed since it last succeeded? Answered by content, so a checkout or a touch of a
// file costs nothing and a forgotten rebuild cannot happen.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { store, takeStored } from './build-store.ts';

const IGNORED = new Set(['node_modules', 'dist', '.wrangler', '.turbo']);

/** One hash over the names and contents of all files under `paths`; a missing path counts as empty. */
export function hashOf(paths: string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(filesUnder))
    hash.update(`${path}\0`).update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

export interface Build {
  name: string;
  inputs: string[];
  /** What is there once it was built. */
  result: string;
  /** Where it is noted what was built. */
  marks: string;
  /** The directory that is built, and where the checkout keeps copies of such. */
  stored?: { dir: string; store: string };
}

/**
 * Runs `build` unless it succeeded with the same inputs and `result` still exists, or the checkout has a copy of what came
 * of them. Returns whether there is another result than before.
 */
export async function buildIfChanged(step: Build, build: () => Promise<unknown>): Promise<boolean> {
  const mark = join(step.marks, step.name);
  const hash = hashOf(step.inputs);
  if (existsSync(step.result) && existsSync(mark) && readFileSync(mark, 'utf8') === hash) return false;
  const kept = step.stored && { ...step.stored, name: step.name, hash };
  if (kept === undefined || !takeStored(kept)) {
    await build();
    if (kept !== undefined) store(kept);
  }
  writeFileSync(mark, hash);
  return true;
}

function filesUnder(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => !IGNORED.has(entry.name) && !entry.name.endsWith('.test.ts'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (entry.isDirectory()) return filesUnder(join(path, entry.name));
      return entry.isFile() ? [join(path, entry.name)] : [];
    });
}
