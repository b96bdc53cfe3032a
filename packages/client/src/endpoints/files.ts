// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { fileRoutes } from '@capstan/schema/files';
import { download, endpoint, upload } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function files(transport: Transport) {
  return {
    /** Upload a file */
    upload: upload<typeof fileRoutes.upload>(transport, 'post', '/v1/files'),
    /** List files, newest first */
    list: endpoint<typeof fileRoutes.list>(transport, 'get', '/v1/files'),
    /** Retrieve what is known of a file */
    retrieve: endpoint<typeof fileRoutes.retrieve>(transport, 'get', '/v1/files/{file_id}'),
    /** Download a file, or with `range` a piece of it */
    download: download<typeof fileRoutes.download>(transport, 'get', '/v1/files/{file_id}/content'),
    /** Delete a file */
    delete: endpoint<typeof fileRoutes.delete>(transport, 'delete', '/v1/files/{file_id}'),
  };
}
