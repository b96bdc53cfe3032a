// A session's memory stores in the control plane. What it writes there is written in its name.
import type { Database } from '@capstan/db/database';
import { stores } from '@capstan/db/stores';
import type { SessionMemories, Written } from '@capstan/harness/workspace/session-memories';
import { isApiError } from '@capstan/schema/error';
import type { SessionSpec } from '@capstan/session/spec';

export function sessionMemories(
  db: Database,
  {
    tenantId,
    sessionId,
    memoryStores: attached = [],
  }: Pick<SessionSpec, 'tenantId' | 'sessionId' | 'memoryStores'>,
): SessionMemories {
  const { memories, memoryStores } = stores(db, tenantId);
  const by = () => ({
    actor: { type: 'session_actor' as const, session_id: sessionId },
    view: 'basic' as const,
    now: Date.now(),
  });
  return {
    attached,
    revisions: async () => {
      const standing = await memoryStores.standing(attached.map(({ memoryStoreId }) => memoryStoreId));
      return new Map(standing.map(({ id, revision }) => [id, revision]));
    },
    state: async (storeId) => {
      const all = await memories.all(storeId);
      if (all === null) return null;
      const { revision, archived, rows } = all;
      const facts = rows.map(({ path, id, contentSha256: sha256 }) => [path, { id, sha256 }] as const);
      return { revision, archived, memories: new Map(facts) };
    },
    texts: async (storeId, ids) => {
      const found = await memories.contents(storeId, ids);
      return new Map(found.map(({ path, content }) => [path, content]));
    },
    create: (storeId, memory) => outcome(memories.create({ storeId, ...memory, ...by() })),
    update: (storeId, id, change) => outcome(memories.update({ storeId, id }, { ...change, ...by() })),
    remove: (storeId, { id, expectedSha256 }) =>
      outcome(memories.delete({ storeId, id }, { expectedSha256, ...by() })),
  };
}

async function outcome(writing: Promise<unknown>): Promise<Written> {
  try {
    await writing;
    return 'done';
  } catch (error) {
    if (!isApiError(error)) throw error;
    const { code } = error;
    if (code === 'invalid_request') return { refused: `was refused: ${error.message}` };
    if (code === 'internal' || code === 'unavailable') throw error;
    // Something is in the way, gone or another by now: it is seen when the store is looked at again.
    return 'raced';
  }
}
