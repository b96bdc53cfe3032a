// What is known of one memory store's directory in one sandbox, and what both last had in common: the base.
//   K1 What is about to be brought into the directory is written down before: whoever finds it there later knows that it is
//      the store's, also in a snapshot that was taken in between. It counts once it is there, and not before.
//   K2 What the store has taken is of the base at once.
import { type Directory, readBase, writeBase } from './memory-directory.ts';
import type { Side } from './memory-merge.ts';
import type { StoreState } from './session-memories.ts';

export interface Known {
  sandboxId: string;
  /** '': not known of this sandbox. */
  inode: string;
  base: Map<string, string>;
  coming: Map<string, string>;
  /** Digests by path and signature. */
  digests: Map<string, { signature: string; digest: string }>;
  /** Signatures by path, as they were when somebody last glanced at them while a call worked. */
  glanced: Map<string, string>;
  state: StoreState;
  /** As it lies in the sandbox. */
  written: string;
}

export async function openKnown(directory: Directory, storeId: string, state: StoreState): Promise<Known> {
  const { sandboxId } = directory;
  const found = await readBase(directory, storeId);
  const known: Known = {
    sandboxId,
    // A snapshot that was brought back has other inodes.
    inode: found?.sandboxId === sandboxId ? found.inode : '',
    base: new Map(Object.entries(found?.memories ?? {})),
    coming: new Map(Object.entries(found?.coming ?? {})),
    digests: new Map(),
    glanced: new Map(),
    state,
    written: '',
  };
  known.written = textOf(known);
  return known;
}

/** Nothing is taken for deleted afterwards. */
export function forget(known: Known): void {
  known.base = new Map();
  known.coming = new Map();
  known.digests = new Map();
}

/** What was to come and has. */
export function arrived(known: Known, local: Side): void {
  for (const [path, digest] of known.coming) take(known, [[path, digest || null]], local);
  known.coming = new Map();
}

function take(known: Known, changes: Iterable<[string, string | null]>, local: Side): void {
  for (const [path, digest] of changes) {
    if ((local.get(path) ?? null) !== digest) continue;
    if (digest === null) known.base.delete(path);
    else known.base.set(path, digest);
  }
}

/** What the store has taken of what the directory has. */
export function taken(known: Known, changes: ReadonlyMap<string, string | null>, local: Side): void {
  take(known, changes, local);
}

/** Writes down what is known, unless it lies there already. */
export async function keep(known: Known, directory: Directory, storeId: string): Promise<void> {
  const text = textOf(known);
  if (text === known.written) return;
  const { sandboxId, inode, base, coming } = known;
  const memories = Object.fromEntries(base);
  await writeBase(directory, storeId, {
    sandboxId,
    inode,
    memories,
    ...(coming.size > 0 && { coming: Object.fromEntries(coming) }),
  });
  known.written = text;
}

function textOf({ inode, base, coming }: Known): string {
  return JSON.stringify([inode, [...base], [...coming]]);
}
