// A glance at a memory directory while a call works in it: what is written there and is left alone goes to the store at once.
//   E1 Only what adds to the store: a memory is written or moved, none is deleted, and the directory stays as it is.
//   E2 A file counts when it is as it was at the glance before, and is not empty: who begins to write it empties it first.
import { MAX_MEMORIES } from '@capstan/schema/memories';
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import { type Directory, digests, type Entry, isNameable, look } from './memory-directory.ts';
import { type Known, keep, taken } from './memory-known.ts';
import { merge, type Step, withinRoom } from './memory-merge.ts';
import { push } from './memory-push.ts';
import type { SessionMemories } from './session-memories.ts';

export interface Glanced {
  /** The store has something that it did not have. */
  brought: boolean;
  /** Something has just been written, and is to be looked at again. */
  more: boolean;
}

interface Glancing {
  store: AttachedMemoryStore;
  directory: Directory;
  known: Known;
}

const NOTHING: Glanced = { brought: false, more: false };

export async function glance(memories: SessionMemories, at: Glancing): Promise<Glanced> {
  const { store, directory, known } = at;
  const { inode, entries } = await look(directory);
  const before = known.glanced;
  known.glanced = new Map(entries.map(({ path, signature }) => [path, signature]));
  // What happened to a directory that is another one is for after the call.
  if (inode === null || inode !== known.inode) return NOTHING;
  const changed = entries.filter((entry) => isChanged(entry, known));
  const standing = changed.filter(({ path, signature }) => before.get(path) === signature);
  const more = standing.length < changed.length;
  if (standing.length === 0) return { brought: false, more };
  const state = await memories.state(store.memoryStoreId);
  if (state === null || state.archived) return NOTHING;
  const found = await digests(
    directory,
    standing.map(({ path }) => path),
  );
  for (const { path, signature } of standing) {
    const digest = found.get(path);
    if (digest !== undefined) known.digests.set(path, { signature, digest });
  }
  const local = localOf(entries, { known, found });
  const remote = new Map(
    [...state.memories].flatMap(([path, { sha256 }]) => (isNameable(path) ? [[path, sha256] as const] : [])),
  );
  const adding = merge({ base: known.base, local, remote, readOnly: false }).filter((step) =>
    adds(step, found),
  );
  const steps = withinRoom(adding, MAX_MEMORIES - state.memories.size);
  const pushed = await push(memories, { store, directory, state, steps, local });
  if (pushed === null || pushed.taken.size === 0) return { brought: false, more };
  taken(known, pushed.taken, local);
  await keep(known, directory, store.memoryStoreId);
  return { brought: true, more };
}

function isChanged({ path, signature, problem, sizeBytes }: Entry, known: Known): boolean {
  return problem === null && sizeBytes > 0 && known.digests.get(path)?.signature !== signature;
}

/** What is still being written counts as it was. */
function localOf(
  entries: readonly Entry[],
  { known, found }: { known: Known; found: ReadonlyMap<string, string> },
): Map<string, string> {
  return new Map(
    entries.flatMap(({ path }) => {
      const digest = found.get(path) ?? known.base.get(path);
      return digest === undefined ? [] : [[path, digest] as const];
    }),
  );
}

function adds({ do: what, path }: Step, found: ReadonlyMap<string, string>): boolean {
  return found.has(path) && (what === 'create' || what === 'update' || what === 'move');
}
