// What the agent is told of its memory stores: each thing once, for as long as it stays as it is.
import type { AttachedMemoryStore } from '@capstan/schema/resources';

export interface MemoryNote {
  /** '': the store's directory itself. */
  path: string;
  /** Changes with what it is about. */
  mark: string;
  /** Follows the path. */
  why: string;
}

const MOST_NOTES = 40;

export class MemoryNotes {
  #told = new Map<string, string>();
  #refused = new Map<string, string>();
  #notes: string[] = [];

  tell(store: AttachedMemoryStore, { path, mark, why }: MemoryNote): void {
    const key = keyOf(store, path);
    if (this.#told.get(key) === mark) return;
    this.#told.set(key, mark);
    this.#notes.push(`Note: ${store.mountPath}${path} ${why}.`);
  }

  /** Every time. */
  say(text: string): void {
    this.#notes.push(`Note: ${text}`);
  }

  /** The store did not take what is there: as long as both stay as they are, it is not asked again. */
  refuse(store: AttachedMemoryStore, path: string, mark: string): void {
    this.#refused.set(keyOf(store, path), mark);
  }

  isRefused(store: AttachedMemoryStore, path: string, mark: string): boolean {
    return this.#refused.get(keyOf(store, path)) === mark;
  }

  /** Since they were last taken. */
  take(): string[] {
    const all = this.#notes.splice(0);
    if (all.length <= MOST_NOTES) return all;
    const more = all.length - MOST_NOTES;
    return [...all.slice(0, MOST_NOTES), `Note: ${more} more notes like these are left out.`];
  }
}

function keyOf({ memoryStoreId }: AttachedMemoryStore, path: string): string {
  return `${memoryStoreId} ${path}`;
}
