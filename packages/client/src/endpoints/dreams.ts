// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { dreamRoutes } from '@capstan/schema/dreams';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function dreams(transport: Transport) {
  return {
    /** Start a dream: a memory store, reorganized by what was said in sessions */
    create: endpoint<typeof dreamRoutes.create>(transport, 'post', '/v1/dreams'),
    /** List dreams, newest first */
    list: endpoint<typeof dreamRoutes.list>(transport, 'get', '/v1/dreams'),
    /** Retrieve a dream */
    retrieve: endpoint<typeof dreamRoutes.retrieve>(transport, 'get', '/v1/dreams/{dream_id}'),
    /** Cancel a dream that has not ended: what it has written stays */
    cancel: endpoint<typeof dreamRoutes.cancel>(transport, 'post', '/v1/dreams/{dream_id}/cancel'),
    /** Archive a dream that has ended: lists leave it out */
    archive: endpoint<typeof dreamRoutes.archive>(transport, 'post', '/v1/dreams/{dream_id}/archive'),
  };
}
