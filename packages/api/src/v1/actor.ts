// Who a caller is in the history of what they change.
import type { Actor } from '@capstan/schema/memory-versions';
import type { Principal } from '../call.ts';

/** A worker acts for its session. */
export function actorOf({ apiKey, worker }: Principal): Actor {
  if (worker?.item) return { type: 'session_actor', session_id: worker.item.sessionId };
  return { type: 'api_actor', api_key_id: apiKey.id };
}
