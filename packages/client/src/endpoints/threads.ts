// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { threadRoutes } from '@capstan/schema/threads';
import { download, endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function threads(transport: Transport) {
  return {
    /** List a session's threads in the order of their creation, the primary one first */
    list: endpoint<typeof threadRoutes.list>(transport, 'get', '/v1/sessions/{session_id}/threads'),
    /** Retrieve a thread */
    retrieve: endpoint<typeof threadRoutes.retrieve>(transport, 'get', '/v1/sessions/{session_id}/threads/{thread_id}'),
    /** Archive an idle thread: its history stays readable, and another can be started in its place */
    archive: endpoint<typeof threadRoutes.archive>(transport, 'post', '/v1/sessions/{session_id}/threads/{thread_id}/archive'),
    /** List a thread's events in the order its agent saw them */
    events: endpoint<typeof threadRoutes.events>(transport, 'get', '/v1/sessions/{session_id}/threads/{thread_id}/events'),
    /** Stream a thread's events as they happen; `Last-Event-ID` or `after` replays from there first */
    stream: download<typeof threadRoutes.stream>(transport, 'get', '/v1/sessions/{session_id}/threads/{thread_id}/stream'),
    /** The same stream, under the path a session has it under */
    streamEvents: download<typeof threadRoutes.streamEvents>(transport, 'get', '/v1/sessions/{session_id}/threads/{thread_id}/events/stream'),
  };
}
