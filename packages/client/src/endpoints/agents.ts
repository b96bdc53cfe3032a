// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { agentRoutes } from '@capstan/schema/agents';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function agents(transport: Transport) {
  return {
    /** Create an agent */
    create: endpoint<typeof agentRoutes.create>(transport, 'post', '/v1/agents'),
    /** List agents, newest first */
    list: endpoint<typeof agentRoutes.list>(transport, 'get', '/v1/agents'),
    /** Retrieve an agent */
    retrieve: endpoint<typeof agentRoutes.retrieve>(transport, 'get', '/v1/agents/{agent_id}'),
    /** Change an agent: its next version, or none when nothing changes */
    update: endpoint<typeof agentRoutes.update>(transport, 'post', '/v1/agents/{agent_id}'),
    /** List an agent's versions, newest first */
    versions: endpoint<typeof agentRoutes.versions>(transport, 'get', '/v1/agents/{agent_id}/versions'),
    /** Archive an agent: no new sessions, running ones go on */
    archive: endpoint<typeof agentRoutes.archive>(transport, 'post', '/v1/agents/{agent_id}/archive'),
    /** Delete an agent with its versions: sessions and rosters keep the copies they have */
    delete: endpoint<typeof agentRoutes.delete>(transport, 'delete', '/v1/agents/{agent_id}'),
  };
}
