// A session's memory stores as directories of its sandbox, kept the same in both directions.
//   Y1 Before a call the directories have what the stores have; after it the stores have what it left, with the session as
//      who wrote it. One at a time: whoever asks while one is under way waits for one that began later.
//   Y2 What both last had in common is written down in the sandbox, and so is as old as the directory is: of a sandbox that
//      was brought back, too. Nothing is taken for deleted without it, nor when the directory itself has gone.
//   Y3 Every write names what it replaces. Two processes that do this at once write nothing twice and lose nothing.
//   Y4 What was not seen or read is not taken for deleted, and what could not be brought to a store stays owed to it.
//   Y5 While a call works, the stores are brought what is surely meant to be there: a text that stands, or has moved.
//   Y6 What cannot be a memory, and what the store has refused, is told once, by name, and fails no call.
import { isSandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import { MAX_MEMORIES } from '@capstan/schema/memories';
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import type { Logger } from '@capstan/shared/logger';
import { isLost } from '../lost.ts';
import {
  apply,
  type Change,
  type Directory,
  digests,
  isNameable,
  KEPT_ROOT,
  look,
  PartialLook,
} from './memory-directory.ts';
import { type Glanced, glance } from './memory-glance.ts';
import { arrived, forget, type Known, keep, openKnown, taken } from './memory-known.ts';
import { agreed, merge, type Step, withinRoom } from './memory-merge.ts';
import { MemoryNotes } from './memory-notes.ts';
import { type Pushing, push } from './memory-push.ts';
import type { WorkspaceRecord } from './session-files.ts';
import type { SessionMemories, StoreState } from './session-memories.ts';

export interface MemoryDeps {
  sandboxes: () => Sandboxes;
  memories: SessionMemories;
  record: WorkspaceRecord;
  logger: Logger;
}

const ROUNDS = 4;
const TEXTS_AT_ONCE = 20;
const INVALID = 'no memory: ';
const UNNAMEABLE =
  'is not here: a part of its path is longer than the 255 bytes that a file name has. Rename it in the memory store';

export class MemorySync {
  #deps: MemoryDeps;
  #known = new Map<string, Known>();
  #notes = new MemoryNotes();
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: MemoryDeps) {
    this.#deps = deps;
  }

  /** Before a call. Rejects only when the sandbox itself fails, with SandboxError. */
  async ready(sandboxId: string): Promise<void> {
    await this.#each(sandboxId, async (store, revision) => {
      const known = this.#known.get(store.memoryStoreId);
      return known?.sandboxId !== sandboxId || known.state.revision !== revision;
    });
  }

  /** A call that may write something begins: what it leaves is owed to the stores from now on. */
  owe(): void {
    if (this.#deps.memories.attached.length > 0 && !this.owes()) this.#deps.record.save('memories', 'owed');
  }

  owes(): boolean {
    return this.#deps.record.load('memories') === 'owed';
  }

  /** After a call that may have written something, and before the sandbox goes. Never rejects: it stays owed then. */
  async settle(sandboxId: string): Promise<void> {
    try {
      await this.#each(sandboxId, async () => true);
    } catch (error) {
      this.#deps.logger.warn('memory.not_settled', { cause: String(error) });
    }
  }

  /**
   * While a call works: brings the stores what it has written so far and then left alone since the last glance. Nothing is
   * changed under its hands, and what it has removed may yet come back. Never rejects.
   */
  glance(sandboxId: string): Promise<Glanced> {
    const { memories, sandboxes } = this.#deps;
    const work = async () => {
      const all: Glanced = { brought: false, more: false };
      for (const store of memories.attached) {
        const known = this.#known.get(store.memoryStoreId);
        if (known?.sandboxId !== sandboxId || store.access === 'read_only') continue;
        const directory = { sandboxes: sandboxes(), sandboxId, path: store.mountPath };
        const { brought, more } = await glance(memories, { store, directory, known });
        all.brought ||= brought;
        all.more ||= more;
      }
      return all;
    };
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next.catch((error: unknown) => {
      this.#deps.logger.warn('memory.not_glanced_at', { cause: String(error) });
      return { brought: false, more: false };
    });
  }

  /** Pays what is owed. Rejects when it cannot be paid now; what a sandbox that has ended took along never can. */
  async pay(sandboxId: string): Promise<void> {
    try {
      if (!(await this.#each(sandboxId, async () => true)))
        throw new Error('The memory stores cannot be reached: what is owed to them stays owed');
    } catch (error) {
      if (!isLost(error)) throw error;
    }
    this.#deps.record.save('memories', 'paid');
  }

  /** What the model has to be told, once. */
  takeNotes(): string[] {
    return this.#notes.take();
  }

  /** False: a store could not be reached, and may be another time. */
  #each(
    sandboxId: string,
    isDue: (store: AttachedMemoryStore, revision: number | undefined) => Promise<boolean>,
  ): Promise<boolean> {
    const { memories } = this.#deps;
    if (memories.attached.length === 0) return Promise.resolve(true);
    const work = async () => {
      const revisions = await this.#asking(() => memories.revisions());
      if (revisions === null) return false;
      let reached = true;
      for (const store of memories.attached) {
        if (!(await isDue(store, revisions.get(store.memoryStoreId)))) continue;
        reached = (await this.#tend(store, sandboxId)) && reached;
      }
      return reached;
    };
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }

  /** False: the store could not be reached. */
  async #tend(store: AttachedMemoryStore, sandboxId: string): Promise<boolean> {
    try {
      for (let round = 0; round < ROUNDS; round++) if (await this.#round(store, sandboxId)) break;
      return true;
    } catch (error) {
      if (isSandboxError(error) && !MENDABLE.has(error.code)) throw error;
      const partial = error instanceof PartialLook;
      this.#deps.logger.error('memory.not_synced', { memory_store_id: store.memoryStoreId }, error);
      const why = partial
        ? `${error.message}: nothing is brought to its store or from there until it can be`
        : 'could not be brought together with its store; it is tried again with the next call';
      this.#notes.tell(store, { path: '', mark: 'failed', why });
      return partial || isSandboxError(error);
    }
  }

  /** True: both are the same, as far as they can be. */
  async #round(store: AttachedMemoryStore, sandboxId: string): Promise<boolean> {
    const { memories } = this.#deps;
    const directory = { sandboxes: this.#deps.sandboxes(), sandboxId, path: store.mountPath };
    const state = await memories.state(store.memoryStoreId);
    if (state === null) {
      this.#notes.tell(store, {
        path: '',
        mark: 'gone',
        why: 'shows a memory store that was deleted; nothing is kept of it',
      });
      return true;
    }
    const known = await this.#knownOf(store, directory, state);
    const local = await this.#localOf(store, directory, known);
    arrived(known, local);
    const remote = this.#remoteOf(store, state);
    const readOnly = store.access === 'read_only' || state.archived;
    const steps = merge({ base: known.base, local, remote, readOnly });
    const allowed = steps.filter((step) => !this.#isRefused(step, { store, state, local }));
    const todo = withinRoom(allowed, MAX_MEMORIES - state.memories.size);
    const over = allowed.length - todo.length;
    const most = `more than a memory store can have (${MAX_MEMORIES}): those are not kept in it`;
    if (over > 0)
      this.#notes.tell(store, { path: '', mark: `over ${over}`, why: `holds ${over} files ${most}` });
    await this.#pull({ store, directory, known, steps: todo, readOnly });
    const pushed = await this.#push(known, { store, directory, state, steps: todo, local });
    const still = todo.length === 0 && known.inode !== '' && !pushed;
    if (still) {
      known.base = agreed({ base: known.base, local, remote });
      await keep(known, directory, store.memoryStoreId);
    }
    return still;
  }

  async #knownOf(store: AttachedMemoryStore, directory: Directory, state: StoreState): Promise<Known> {
    const { sandboxId } = directory;
    const known = this.#known.get(store.memoryStoreId);
    if (known?.sandboxId === sandboxId) {
      known.state = state;
      return known;
    }
    const fresh = await openKnown(directory, store.memoryStoreId, state);
    this.#known.set(store.memoryStoreId, fresh);
    return fresh;
  }

  async #localOf(
    store: AttachedMemoryStore,
    directory: Directory,
    known: Known,
  ): Promise<Map<string, string>> {
    const { inode, entries } = await look(directory);
    if (inode === null || (known.inode !== '' && known.inode !== inode)) {
      if (known.inode !== '')
        this.#notes.tell(store, {
          path: '',
          mark: inode ?? 'none',
          why: 'was removed or replaced; the memories are back',
        });
      forget(known);
    }
    known.inode = inode ?? '';
    const local = new Map<string, string>();
    const unknown = new Map<string, string>();
    for (const { path, signature, problem } of entries) {
      const before = known.digests.get(path);
      if (problem !== null) {
        local.set(path, `${INVALID}${signature}`);
        this.#notes.tell(store, {
          path,
          mark: signature,
          why: `${problem}. It is not kept in the memory store`,
        });
      } else if (before?.signature === signature) local.set(path, before.digest);
      else unknown.set(path, signature);
    }
    const fresh = await digests(directory, [...unknown.keys()]);
    for (const [path, signature] of unknown) {
      const digest = fresh.get(path);
      if (digest !== undefined) known.digests.set(path, { signature, digest });
      // What cannot be read, or has gone just now, is seen when it is looked at again.
      local.set(path, digest ?? `${INVALID}unread`);
    }
    return local;
  }

  /** What of the store the directory can show. */
  #remoteOf(store: AttachedMemoryStore, { memories }: StoreState): Map<string, string> {
    const remote = new Map<string, string>();
    for (const [path, { sha256 }] of memories) {
      if (isNameable(path)) remote.set(path, sha256);
      else this.#notes.tell(store, { path, mark: 'unnameable', why: UNNAMEABLE });
    }
    return remote;
  }

  async #pull({ store, directory, known, steps, readOnly }: Pulling): Promise<void> {
    const { memories } = known.state;
    const ids = steps.flatMap((step) => (step.do === 'pull' ? [memories.get(step.path)?.id ?? ''] : []));
    const texts = new Map<string, string>();
    for (let at = 0; at < ids.length; at += TEXTS_AT_ONCE) {
      const some = ids.slice(at, at + TEXTS_AT_ONCE);
      for (const [path, text] of await this.#deps.memories.texts(store.memoryStoreId, some))
        texts.set(path, text);
    }
    const changes = steps.flatMap((step): Change[] => {
      if (step.do === 'aside' || step.do === 'drop') return [step];
      const text = step.do === 'pull' ? texts.get(step.path) : undefined;
      return step.do === 'pull' && text !== undefined ? [{ ...step, do: 'put', text }] : [];
    });
    if (changes.length === 0 && known.inode !== '') return;
    await this.#expect(changes, { store, directory, known });
    const kept = `${KEPT_ROOT}${store.mountPath.slice(store.mountPath.lastIndexOf('/'))}`;
    const access = readOnly ? 'read_only' : 'read_write';
    const aside = await apply(directory, changes, { kept, access });
    for (const step of steps) {
      const to = step.do === 'aside' ? aside.get(step.path) : undefined;
      if (step.do !== 'aside' || to === undefined) continue;
      const why =
        step.why === 'read_only'
          ? `is read-only: it is as it was, and what you wrote is at ${to}`
          : `was changed elsewhere too: it now has what the store has, and what you wrote is at ${to}`;
      this.#notes.tell(store, { path: step.path, mark: to, why });
    }
  }

  async #expect(
    changes: readonly Change[],
    { store, directory, known }: Pick<Pulling, 'store' | 'directory' | 'known'>,
  ): Promise<void> {
    for (const change of changes)
      if (change.do !== 'aside')
        known.coming.set(
          change.path,
          change.do === 'put' ? (known.state.memories.get(change.path)?.sha256 ?? '') : '',
        );
    if (known.coming.size > 0) await keep(known, directory, store.memoryStoreId);
  }

  /** True: something was written, or is to be looked at anew. */
  async #push(known: Known, pushing: Pushing): Promise<boolean> {
    const { store, state, local } = pushing;
    const pushed = await push(this.#deps.memories, pushing);
    if (pushed === null) return false;
    taken(known, pushed.taken, local);
    for (const refusal of pushed.refusals) {
      this.#notes.refuse(store, refusal.path, `${refusal.mark} ${state.revision}`);
      this.#notes.tell(store, refusal);
    }
    return true;
  }

  /** What cannot be a memory, and what the store has refused as it is. */
  #isRefused(step: Step, { store, state, local }: Omit<Pushing, 'directory' | 'steps'>): boolean {
    if (step.do !== 'create' && step.do !== 'update') return false;
    const digest = local.get(step.path) ?? '';
    return (
      digest.startsWith(INVALID) || this.#notes.isRefused(store, step.path, `${digest} ${state.revision}`)
    );
  }

  async #asking<T>(ask: () => Promise<T>): Promise<T | null> {
    try {
      return await ask();
    } catch (error) {
      this.#deps.logger.error('memory.unknown', {}, error);
      this.#notes.say(
        'The memory stores of this session cannot be reached; what is below /mnt/memory may be old.',
      );
      return null;
    }
  }
}

interface Pulling {
  store: AttachedMemoryStore;
  directory: Directory;
  known: Known;
  steps: readonly Step[];
  readOnly: boolean;
}

/** Of these a directory fails alone; of all others the sandbox does. */
const MENDABLE: ReadonlySet<string> = new Set([
  'forbidden',
  'is_directory',
  'not_directory',
  'quota_exceeded',
  'invalid',
  'too_large',
]);
