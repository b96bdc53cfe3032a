// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { consoleRoutes } from '@capstan/schema/console-login';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function consoleLogin(transport: Transport) {
  return {
    /** Make a one-time sign-in code, good for ten minutes */
    createLoginLink: endpoint<typeof consoleRoutes.createLoginLink>(transport, 'post', '/api/login_links'),
    /** Exchange an API key or a one-time code for a Console cookie */
    login: endpoint<typeof consoleRoutes.login>(transport, 'post', '/api/login'),
    /** Clear the Console cookie */
    logout: endpoint<typeof consoleRoutes.logout>(transport, 'post', '/api/logout'),
    /** Who is signed in, which model answers, and how sandboxes are isolated */
    me: endpoint<typeof consoleRoutes.me>(transport, 'get', '/api/me'),
  };
}
