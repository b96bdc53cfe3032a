// Who a caller is in the history of what they change.
import type { Actor } from '@capstan/schema/memory-versions';
import type { Principal } from '../call.ts';

export function actorOf({ apiKey }: Principal): Actor {
  return { type: 'api_actor', api_key_id: apiKey.id };
}
