// Blobs in memory: for a session that is replayed, or tested, without a host.
import type { Blobs } from './ports.ts';

export class MemoryBlobs implements Blobs {
  texts = new Map<string, string>();

  async put(key: string, text: string): Promise<void> {
    this.texts.set(key, text);
  }

  async get(key: string): Promise<string | null> {
    return this.texts.get(key) ?? null;
  }

  async removeAll(): Promise<void> {
    this.texts.clear();
  }
}
