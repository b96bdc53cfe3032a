// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { resourceRoutes } from '@capstan/schema/resources';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function resources(transport: Transport) {
  return {
    /** List what is mounted in the sandbox of a session */
    list: endpoint<typeof resourceRoutes.list>(transport, 'get', '/v1/sessions/{session_id}/resources'),
    /** Mount another file */
    add: endpoint<typeof resourceRoutes.add>(transport, 'post', '/v1/sessions/{session_id}/resources'),
    /** Retrieve a resource of a session */
    retrieve: endpoint<typeof resourceRoutes.retrieve>(transport, 'get', '/v1/sessions/{session_id}/resources/{resource_id}'),
    /** Replace the authorization token of a repository */
    update: endpoint<typeof resourceRoutes.update>(transport, 'post', '/v1/sessions/{session_id}/resources/{resource_id}'),
    /** Take a file out of the sandbox of a session */
    delete: endpoint<typeof resourceRoutes.delete>(transport, 'delete', '/v1/sessions/{session_id}/resources/{resource_id}'),
  };
}
