// Memory stores over HTTP.
import { stores } from '@capstan/db/stores';
import { memoryStoreRoutes } from '@capstan/schema/memory-stores';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountMemoryStores(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, memoryStoreRoutes.create, async ({ principal, body, claim, head, now }) => {
    const { memoryStores, receipts } = stores(db, principal.tenantId);
    const { name, description, metadata } = body;
    const input = { name, description: description ?? '', metadata: metadata ?? {}, now };
    return answer(await receipts.once(claim, now, (kept) => memoryStores.create(input, kept)), head);
  });

  mount(surface, memoryStoreRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).memoryStores.list({
      limit: query.limit,
      page: query.page,
      includeArchived: query.include_archived,
      created: query,
    }),
  );

  mount(surface, memoryStoreRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).memoryStores.retrieve(params.memory_store_id),
  );

  mount(surface, memoryStoreRoutes.update, ({ principal, params, body, now }) => {
    const { name, description, metadata } = body;
    const change = {
      name: name ?? undefined,
      description: description === null ? '' : description,
      metadata: metadata ?? undefined,
    };
    return stores(db, principal.tenantId).memoryStores.update(params.memory_store_id, change, now);
  });

  mount(surface, memoryStoreRoutes.archive, ({ principal, params, now }) =>
    stores(db, principal.tenantId).memoryStores.archive(params.memory_store_id, now),
  );

  mount(surface, memoryStoreRoutes.delete, async ({ principal, params, now }) => {
    await stores(db, principal.tenantId).memoryStores.delete(params.memory_store_id, now);
    return { id: params.memory_store_id, type: 'memory_store_deleted' as const };
  });
}
