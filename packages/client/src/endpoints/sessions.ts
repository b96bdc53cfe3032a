// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { sessionRoutes } from '@capstan/schema/sessions';
import { download, endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function sessions(transport: Transport) {
  return {
    /** Create a session */
    create: endpoint<typeof sessionRoutes.create>(transport, 'post', '/v1/sessions'),
    /** List sessions by creation time */
    list: endpoint<typeof sessionRoutes.list>(transport, 'get', '/v1/sessions'),
    /** Retrieve a session */
    retrieve: endpoint<typeof sessionRoutes.retrieve>(transport, 'get', '/v1/sessions/{session_id}'),
    /** Change a session's title, metadata, budget or tools */
    update: endpoint<typeof sessionRoutes.update>(transport, 'post', '/v1/sessions/{session_id}'),
    /** Create a session that begins with the log of this one, up to an event */
    fork: endpoint<typeof sessionRoutes.fork>(transport, 'post', '/v1/sessions/{session_id}/fork'),
    /** Export a session and its log as JSON lines */
    export: download<typeof sessionRoutes.export>(transport, 'get', '/v1/sessions/{session_id}/export'),
    /** Get the session's sandbox ready before it is needed */
    prewarm: endpoint<typeof sessionRoutes.prewarm>(transport, 'post', '/v1/sessions/{session_id}/prewarm'),
    /** Archive an idle session: its history stays readable, nothing more can be sent */
    archive: endpoint<typeof sessionRoutes.archive>(transport, 'post', '/v1/sessions/{session_id}/archive'),
    /** Delete an idle session with its events and its sandbox */
    delete: endpoint<typeof sessionRoutes.delete>(transport, 'delete', '/v1/sessions/{session_id}'),
  };
}
