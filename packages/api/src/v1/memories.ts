// Memories over HTTP. Who writes is told by the key that was used.
import { stores } from '@capstan/db/stores';
import { memoryRoutes } from '@capstan/schema/memories';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { actorOf } from './actor.ts';

export function mountMemories(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, memoryRoutes.create, async ({ principal, params, query, body, claim, head, now }) => {
    const { memories, receipts } = stores(db, principal.tenantId);
    const { path, content } = body;
    const storeId = params.memory_store_id;
    const input = { storeId, path, content, actor: actorOf(principal), view: query.view, now };
    const made = answer(await receipts.once(claim, now, (kept) => memories.create(input, kept)), head);
    // A receipt has none; whoever repeats a request repeats its content.
    return { ...made, content: query.view === 'full' ? content : null };
  });

  mount(surface, memoryRoutes.list, ({ principal, params, query }) =>
    stores(db, principal.tenantId).memories.list({
      storeId: params.memory_store_id,
      limit: query.limit,
      page: query.page,
      prefix: query.path_prefix,
      depth: query.depth,
      view: query.view,
    }),
  );

  mount(surface, memoryRoutes.retrieve, ({ principal, params, query }) =>
    stores(db, principal.tenantId).memories.retrieve(toKey(params), query.view),
  );

  mount(surface, memoryRoutes.update, ({ principal, params, query, body, now }) =>
    stores(db, principal.tenantId).memories.update(toKey(params), {
      path: body.path ?? undefined,
      content: body.content ?? undefined,
      expectedSha256: body.precondition?.content_sha256,
      actor: actorOf(principal),
      view: query.view,
      now,
    }),
  );

  mount(surface, memoryRoutes.delete, async ({ principal, params, query, now }) => {
    const expectedSha256 = query.expected_content_sha256;
    const deletion = { expectedSha256, actor: actorOf(principal), now };
    await stores(db, principal.tenantId).memories.delete(toKey(params), deletion);
    return { id: params.memory_id, type: 'memory_deleted' as const };
  });
}

function toKey({ memory_store_id: storeId, memory_id: id }: { memory_store_id: string; memory_id: string }) {
  return { storeId, id };
}
