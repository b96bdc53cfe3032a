// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { eventRoutes } from '@capstan/schema/events';
import { download, endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function events(transport: Transport) {
  return {
    /** Send events: all are accepted, or none */
    send: endpoint<typeof eventRoutes.send>(transport, 'post', '/v1/sessions/{session_id}/events'),
    /** List events in the order the agent saw them */
    list: endpoint<typeof eventRoutes.list>(transport, 'get', '/v1/sessions/{session_id}/events'),
    /** Stream events as they happen; `Last-Event-ID` or `after` replays from there first */
    stream: download<typeof eventRoutes.stream>(transport, 'get', '/v1/sessions/{session_id}/events/stream'),
  };
}
