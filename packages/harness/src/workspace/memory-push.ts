// What a sandbox's directory has and its memory store does not, brought to the store. Every write names what it replaces.
import type { AttachedMemoryStore } from '@capstan/schema/resources';
import { bytesOf, type Directory } from './memory-directory.ts';
import type { Step } from './memory-merge.ts';
import { sha256Of, toText } from './memory-text.ts';
import type { SessionMemories, StoreState, Written } from './session-memories.ts';

export interface Pushing {
  store: AttachedMemoryStore;
  directory: Directory;
  state: StoreState;
  steps: readonly Step[];
  /** Digests by path, as the steps were decided on. */
  local: ReadonlyMap<string, string>;
}

/** What the store did not take, and why. */
export interface Refusal {
  path: string;
  mark: string;
  why: string;
}

export interface Pushed {
  refusals: Refusal[];
  /** What the store has taken: the digest that it now has at a path, null: none. */
  taken: Map<string, string | null>;
}

const PUSHED: ReadonlySet<Step['do']> = new Set(['create', 'update', 'move', 'delete']);
const BINARY = 'is not UTF-8 text';

/** Null: there was nothing to bring. What has changed again since it was looked at is left for the next time. */
export async function push(memories: SessionMemories, pushing: Pushing): Promise<Pushed | null> {
  const { directory, steps, local } = pushing;
  const wanted = steps.filter((step) => PUSHED.has(step.do));
  const paths = wanted.flatMap((step) => (step.do === 'create' || step.do === 'update' ? [step.path] : []));
  const bytes = await bytesOf(directory, paths);
  const refusals: Refusal[] = [];
  const taken = new Map<string, string | null>();
  for (const step of wanted) {
    const read = bytes.get(step.path);
    const mark = local.get(step.path) ?? '';
    if (read !== undefined && (await sha256Of(read)) !== mark) continue;
    const content = toText(read);
    const written =
      content === null ? { refused: BINARY } : await write(memories, { ...pushing, step, content });
    if (written === 'done') {
      if (step.do === 'move') taken.set(step.from, null);
      taken.set(step.path, step.do === 'delete' ? null : mark);
    } else if (written !== 'raced') {
      const why = `${written.refused}. It is not kept in the memory store`;
      refusals.push({ path: step.path, mark, why });
    }
  }
  return wanted.length > 0 ? { refusals, taken } : null;
}

interface Writing {
  store: AttachedMemoryStore;
  state: StoreState;
  step: Step;
  content: string;
}

function write(memories: SessionMemories, { store, state, step, content }: Writing): Promise<Written> {
  const storeId = store.memoryStoreId;
  const from = step.do === 'move' ? step.from : step.path;
  const { id = '', sha256: expectedSha256 = '' } = state.memories.get(from) ?? {};
  switch (step.do) {
    case 'create':
      return memories.create(storeId, { path: step.path, content });
    case 'update':
      return memories.update(storeId, id, { content, expectedSha256 });
    case 'move':
      return memories.update(storeId, id, { path: step.path, expectedSha256 });
    case 'delete':
      return memories.remove(storeId, { id, expectedSha256 });
    default:
      return Promise.resolve('done');
  }
}
