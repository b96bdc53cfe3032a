// A typed client of the platform: one method for each route, and streams that survive a broken line.
import { endpoints } from './endpoints/all.ts';
import { type FollowOptions, follow } from './follow.ts';
import { type ClientOptions, createTransport } from './transport.ts';

export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const transport = createTransport(options);
  const nouns = endpoints(transport);
  return {
    ...nouns,
    events: {
      ...nouns.events,
      /** Events as they happen; see `FollowOptions` for where it starts and how it ends. */
      follow: (sessionId: string, how: FollowOptions = {}) => follow(transport, sessionId, how),
    },
  };
}
