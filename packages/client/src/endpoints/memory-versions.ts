// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { memoryVersionRoutes } from '@capstan/schema/memory-versions';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function memoryVersions(transport: Transport) {
  return {
    /** List versions of memories, newest first */
    list: endpoint<typeof memoryVersionRoutes.list>(transport, 'get', '/v1/memory_stores/{memory_store_id}/memory_versions'),
    /** Retrieve a version of a memory */
    retrieve: endpoint<typeof memoryVersionRoutes.retrieve>(transport, 'get', '/v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}'),
    /** Take path and content out of a version for good; of a memory that is there, not out of the latest */
    redact: endpoint<typeof memoryVersionRoutes.redact>(transport, 'post', '/v1/memory_stores/{memory_store_id}/memory_versions/{memory_version_id}/redact'),
  };
}
