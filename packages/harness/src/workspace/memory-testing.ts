// A memory store in memory, as several sessions see it.
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import type { SessionMemories, Written } from './session-memories.ts';

interface Text {
  id: string;
  content: string;
}

export class MemoryStoreDouble {
  /** By path. */
  texts = new Map<string, Text>();
  /** What was written, and by whom. */
  log: string[] = [];
  archived = false;
  gone = false;
  /** What of it cannot be asked. */
  away: 'revisions' | 'state' | null = null;
  #revision = 0;
  #made = 0;

  put(path: string, content: string, by = 'api'): void {
    const id = this.texts.get(path)?.id ?? `mem_${++this.#made}`;
    this.texts.set(path, { id, content });
    this.#note(`${by} wrote ${path}`);
  }

  remove(path: string, by = 'api'): void {
    this.texts.delete(path);
    this.#note(`${by} removed ${path}`);
  }

  /** As a session has it. */
  for(session: string, more: Partial<AttachedMemoryStore> = {}): SessionMemories {
    const store: AttachedMemoryStore = {
      memoryStoreId: 'memstore_1',
      access: 'read_write',
      instructions: null,
      name: 'Notes',
      description: '',
      mountPath: '/mnt/memory/notes',
      ...more,
    };
    return {
      attached: [store],
      revisions: async () => {
        this.#requireThere('revisions');
        return new Map(this.gone ? [] : [[store.memoryStoreId, this.#revision]]);
      },
      state: async () => {
        this.#requireThere('state');
        if (this.gone) return null;
        return { revision: this.#revision, archived: this.archived, memories: await this.#facts() };
      },
      texts: async (_, ids) =>
        new Map(
          [...this.texts].flatMap(([path, { id, content }]) =>
            ids.includes(id) ? [[path, content] as const] : [],
          ),
        ),
      create: async (_, { path, content }) => {
        if (content.includes('refuse me')) return { refused: 'was refused: it asked for it' };
        if (this.texts.has(path)) return 'raced';
        this.put(path, content, session);
        return 'done';
      },
      update: (_, id, change) =>
        this.#changing(id, change.expectedSha256, (path, { content }) => {
          const next = change.path ?? path;
          if (next !== path) this.texts.delete(path);
          this.texts.set(next, { id, content: change.content ?? content });
          this.#note(`${session} ${next === path ? 'changed' : `moved ${path} to`} ${next}`);
        }),
      remove: (_, { id, expectedSha256 }) =>
        this.#changing(id, expectedSha256, (path) => this.remove(path, session)),
    };
  }

  async #changing(
    id: string,
    expected: string,
    change: (path: string, text: Text) => void,
  ): Promise<Written> {
    const found = [...this.texts].find(([, text]) => text.id === id);
    if (found === undefined || (await sha256(found[1].content)) !== expected) return 'raced';
    change(...found);
    return 'done';
  }

  async #facts() {
    const facts = [...this.texts].map(
      async ([path, { id, content }]) => [path, { id, sha256: await sha256(content) }] as const,
    );
    return new Map(await Promise.all(facts));
  }

  #requireThere(what: 'revisions' | 'state'): void {
    if (this.away === what) throw new Error('nobody is there');
  }

  #note(line: string): void {
    this.#revision += 1;
    this.log.push(line);
  }
}

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');
}
