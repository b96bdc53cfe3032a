// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { sandboxFileRoutes } from '@capstan/schema/sandbox-files';
import { download, endpoint, upload } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function sandboxFiles(transport: Transport) {
  return {
    /** List a directory of the session's sandbox */
    list: endpoint<typeof sandboxFileRoutes.list>(transport, 'get', '/v1/sessions/{session_id}/sandbox/files'),
    /** Read a file of the session's sandbox */
    read: download<typeof sandboxFileRoutes.read>(transport, 'get', '/v1/sessions/{session_id}/sandbox/files/content'),
    /** Write a file into the session's sandbox, which is made or restored for it */
    write: upload<typeof sandboxFileRoutes.write>(transport, 'post', '/v1/sessions/{session_id}/sandbox/files/content'),
    /** Download a directory of the session's sandbox as a tar archive */
    archive: download<typeof sandboxFileRoutes.archive>(transport, 'get', '/v1/sessions/{session_id}/sandbox/files/archive'),
  };
}
