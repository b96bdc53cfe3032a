// A typed client of the platform: one method for each route, and streams that survive a broken line.
import type { agentRoutes } from '@capstan/schema/agents';
import type { consoleRoutes } from '@capstan/schema/console-login';
import type { environmentRoutes } from '@capstan/schema/environments';
import type { eventRoutes } from '@capstan/schema/events';
import type { healthRoutes } from '@capstan/schema/health';
import type { sessionRoutes } from '@capstan/schema/sessions';
import { endpoint } from './endpoint.ts';
import { type FollowOptions, follow } from './follow.ts';
import { type ClientOptions, createTransport } from './transport.ts';

export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const transport = createTransport(options);
  return {
    agents: {
      create: endpoint<typeof agentRoutes.create>(transport, 'post', '/v1/agents'),
      list: endpoint<typeof agentRoutes.list>(transport, 'get', '/v1/agents'),
      retrieve: endpoint<typeof agentRoutes.retrieve>(transport, 'get', '/v1/agents/{agent_id}'),
      archive: endpoint<typeof agentRoutes.archive>(transport, 'post', '/v1/agents/{agent_id}/archive'),
    },
    environments: {
      create: endpoint<typeof environmentRoutes.create>(transport, 'post', '/v1/environments'),
      list: endpoint<typeof environmentRoutes.list>(transport, 'get', '/v1/environments'),
      retrieve: endpoint<typeof environmentRoutes.retrieve>(
        transport,
        'get',
        '/v1/environments/{environment_id}',
      ),
    },
    sessions: {
      create: endpoint<typeof sessionRoutes.create>(transport, 'post', '/v1/sessions'),
      list: endpoint<typeof sessionRoutes.list>(transport, 'get', '/v1/sessions'),
      retrieve: endpoint<typeof sessionRoutes.retrieve>(transport, 'get', '/v1/sessions/{session_id}'),
      archive: endpoint<typeof sessionRoutes.archive>(transport, 'post', '/v1/sessions/{session_id}/archive'),
    },
    events: {
      send: endpoint<typeof eventRoutes.send>(transport, 'post', '/v1/sessions/{session_id}/events'),
      list: endpoint<typeof eventRoutes.list>(transport, 'get', '/v1/sessions/{session_id}/events'),
      /** Events as they happen; see `FollowOptions` for where it starts and how it ends. */
      follow: (sessionId: string, how: FollowOptions = {}) => follow(transport, sessionId, how),
    },
    console: {
      createLoginLink: endpoint<typeof consoleRoutes.createLoginLink>(transport, 'post', '/api/login_links'),
      login: endpoint<typeof consoleRoutes.login>(transport, 'post', '/api/login'),
      logout: endpoint<typeof consoleRoutes.logout>(transport, 'post', '/api/logout'),
      me: endpoint<typeof consoleRoutes.me>(transport, 'get', '/api/me'),
    },
    health: endpoint<typeof healthRoutes.check>(transport, 'get', '/health'),
  };
}
