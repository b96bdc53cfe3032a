// What a session's sandbox needs from its host to have memory stores as directories.
import type { AttachedMemoryStore } from '@capstan/schema/resources';

/** How a store is now. */
export interface StoreState {
  /** Another one whenever something in it has changed. */
  revision: number;
  archived: boolean;
  /** By path. */
  memories: ReadonlyMap<string, { id: string; sha256: string }>;
}

/** `done`; `raced`: it is not what it was any more, look again; otherwise why it is refused, in words for the agent. */
export type Written = 'done' | 'raced' | { refused: string };

/** What is written is the session's doing. */
export interface SessionMemories {
  /** In the order they were given. */
  attached: readonly AttachedMemoryStore[];
  /** Revisions by store, of those that are there. */
  revisions(): Promise<ReadonlyMap<string, number>>;
  /** Null: the store is gone. */
  state(storeId: string): Promise<StoreState | null>;
  /** Texts by path, of those of these memories that are there. */
  texts(storeId: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  create(storeId: string, memory: { path: string; content: string }): Promise<Written>;
  update(
    storeId: string,
    id: string,
    change: { path?: string; content?: string; expectedSha256: string },
  ): Promise<Written>;
  remove(storeId: string, memory: { id: string; expectedSha256: string }): Promise<Written>;
}
