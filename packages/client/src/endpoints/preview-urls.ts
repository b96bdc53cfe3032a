// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { previewUrlRoutes } from '@capstan/schema/preview-urls';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function previewUrls(transport: Transport) {
  return {
    /** Make a URL that shows a port of the session's sandbox until it expires */
    create: endpoint<typeof previewUrlRoutes.create>(transport, 'post', '/v1/sessions/{session_id}/preview_urls'),
  };
}
