// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { memoryStoreRoutes } from '@capstan/schema/memory-stores';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function memoryStores(transport: Transport) {
  return {
    /** Create a memory store */
    create: endpoint<typeof memoryStoreRoutes.create>(transport, 'post', '/v1/memory_stores'),
    /** List memory stores, newest first */
    list: endpoint<typeof memoryStoreRoutes.list>(transport, 'get', '/v1/memory_stores'),
    /** Retrieve a memory store */
    retrieve: endpoint<typeof memoryStoreRoutes.retrieve>(transport, 'get', '/v1/memory_stores/{memory_store_id}'),
    /** Change a memory store: sessions that exist keep the name and description it had */
    update: endpoint<typeof memoryStoreRoutes.update>(transport, 'post', '/v1/memory_stores/{memory_store_id}'),
    /** Archive a memory store: from then on it is read-only, and no new session can have it */
    archive: endpoint<typeof memoryStoreRoutes.archive>(transport, 'post', '/v1/memory_stores/{memory_store_id}/archive'),
    /** Delete a memory store with its memories and their versions */
    delete: endpoint<typeof memoryStoreRoutes.delete>(transport, 'delete', '/v1/memory_stores/{memory_store_id}'),
  };
}
