// Build store: what was built from certain inputs, kept with the checkout, so that a platform with another state, or none yet,
// need not build it again. Things are put there whole, by a rename; of each name, the newest stays.
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface StoredBuild {
  /** The directory of the store. */
  store: string;
  name: string;
  /** Of what it is built from. */
  hash: string;
  /** The directory that is built. */
  dir: string;
}

/** What a start that was killed has left half copied is older than this. */
const ABANDONED_MS = 60 * 60_000;

/** Puts what the store has in place of the directory; false: it has nothing, or has just lost it. */
export function takeStored({ store, name, hash, dir }: StoredBuild): boolean {
  const shelf = join(store, `${name}-${hash}`);
  const draft = `${dir}.taken`;
  try {
    if (!existsSync(shelf)) return false;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(dirname(dir), { recursive: true });
    cpSync(shelf, draft, { recursive: true });
  } catch {
    rmSync(draft, { recursive: true, force: true });
    return false;
  }
  rmSync(dir, { recursive: true, force: true });
  renameSync(draft, dir);
  return true;
}

/** Keeps a copy of the directory, and of that name nothing else. Without room for it, what was built serves all the same. */
export function store({ store: at, name, hash, dir }: StoredBuild): void {
  const kept = `${name}-${hash}`;
  const draft = join(at, `draft-${process.pid}-${kept}`);
  try {
    mkdirSync(at, { recursive: true });
    rmSync(draft, { recursive: true, force: true });
    for (const other of readdirSync(at))
      if ((other.startsWith(`${name}-`) && other !== kept) || isAbandoned(at, other))
        rmSync(join(at, other), { recursive: true, force: true });
    cpSync(dir, draft, { recursive: true });
    renameSync(draft, join(at, kept));
  } catch {
    // Another start may have put it there meanwhile.
    rmSync(draft, { recursive: true, force: true });
  }
}

function isAbandoned(at: string, name: string): boolean {
  if (!name.startsWith('draft-')) return false;
  const changedAt = statSync(join(at, name), { throwIfNoEntry: false })?.mtimeMs;
  return changedAt !== undefined && Date.now() - changedAt > ABANDONED_MS;
}
