// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { memoryRoutes } from '@capstan/schema/memories';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function memories(transport: Transport) {
  return {
    /** Create a memory at a path that is free */
    create: endpoint<typeof memoryRoutes.create>(transport, 'post', '/v1/memory_stores/{memory_store_id}/memories'),
    /** List memories by path */
    list: endpoint<typeof memoryRoutes.list>(transport, 'get', '/v1/memory_stores/{memory_store_id}/memories'),
    /** Retrieve a memory */
    retrieve: endpoint<typeof memoryRoutes.retrieve>(transport, 'get', '/v1/memory_stores/{memory_store_id}/memories/{memory_id}'),
    /** Change what a memory says, where it stands, or both */
    update: endpoint<typeof memoryRoutes.update>(transport, 'post', '/v1/memory_stores/{memory_store_id}/memories/{memory_id}'),
    /** Delete a memory: its versions stay for a while */
    delete: endpoint<typeof memoryRoutes.delete>(transport, 'delete', '/v1/memory_stores/{memory_store_id}/memories/{memory_id}'),
  };
}
