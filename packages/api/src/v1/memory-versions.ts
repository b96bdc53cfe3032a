// Versions of memories over HTTP.
import { stores } from '@capstan/db/stores';
import { memoryVersionRoutes } from '@capstan/schema/memory-versions';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { actorOf } from './actor.ts';

export function mountMemoryVersions(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, memoryVersionRoutes.list, ({ principal, params, query }) =>
    stores(db, principal.tenantId).memoryVersions.list({
      storeId: params.memory_store_id,
      limit: query.limit,
      page: query.page,
      memoryId: query.memory_id,
      operation: query.operation,
      sessionId: query.session_id,
      apiKeyId: query.api_key_id,
      serviceAccountId: query.service_account_id,
      created: query,
      view: query.view,
    }),
  );

  mount(surface, memoryVersionRoutes.retrieve, ({ principal, params, query }) =>
    stores(db, principal.tenantId).memoryVersions.retrieve(toKey(params), query.view),
  );

  mount(surface, memoryVersionRoutes.redact, ({ principal, params, now }) =>
    stores(db, principal.tenantId).memoryVersions.redact(toKey(params), actorOf(principal), now),
  );
}

interface Params {
  memory_store_id: string;
  memory_version_id: string;
}

function toKey({ memory_store_id: storeId, memory_version_id: id }: Params) {
  return { storeId, id };
}
