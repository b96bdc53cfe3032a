// A session's events over HTTP: sent, listed and streamed by the session itself; here is only the translation.
import { ApiError } from '@capstan/schema/error';
import { eventRoutes, MAX_EVENT_BYTES } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import { requireHeld, requireResults } from '../auth/worker-scope.ts';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { toEventQuery, toStreamQuery } from './event-query.ts';
import { openStream } from './event-stream.ts';
import { withFiles } from './file-references.ts';

/** One call between Workers carries 32 MiB; this leaves room for what is around the text. */
const MOST_CALL_BYTES = 30_000_000;

export function mountEvents(surface: Surface): void {
  const { db, blobs, sessions } = surface.ports;

  mount(surface, eventRoutes.send, async ({ principal, params, body, claim, head, now }) => {
    const { tenantId } = principal;
    requireResults(principal.worker, body.events);
    await requireHeld(surface.ports.work, principal);
    requireSendable(body.events);
    const events = await withFiles({ db, blobs }, { tenantId, events: body.events, path: 'events', now });
    const address = { tenantId, sessionId: params.session_id };
    const sent = await sessions.send(address, events, claim);
    return answer({ reply: { data: sent.events }, replayed: sent.replayed }, head);
  });

  mount(surface, eventRoutes.list, async ({ principal: { tenantId }, params, query }) => {
    const address = { tenantId, sessionId: params.session_id };
    const { data, next_page } = await sessions.listEvents(address, toEventQuery(query));
    return { data, next_page };
  });

  mount(surface, eventRoutes.stream, async ({ principal: { tenantId }, params, query, request }) => {
    const address = { tenantId, sessionId: params.session_id };
    const asked = toStreamQuery(query, request);
    if (request.method === 'HEAD') {
      await sessions.view(address);
      return null;
    }
    return openStream(surface.ports, { request }, { address, query: asked });
  });
}

/** Text between Workers takes a byte a character, or two when any of its characters is beyond Latin-1. */
function requireSendable(events: readonly EventParam[]): void {
  const texts = events.map((event) => JSON.stringify(event));
  const long = texts.findIndex(isTooLong);
  if (long !== -1) {
    throw new ApiError(
      'too_large',
      `events.${long}: over ${MAX_EVENT_BYTES} bytes as JSON; split it into several`,
    );
  }
  const size = texts.reduce((sum, text) => sum + text.length * (/[\u0100-\uffff]/.test(text) ? 2 : 1), 0);
  if (size <= MOST_CALL_BYTES) return;
  throw new ApiError(
    'too_large',
    'events: too long together to be taken at once; send fewer or shorter ones',
  );
}

/** A character takes one to three bytes: most texts need no counting. */
function isTooLong(text: string): boolean {
  if (text.length > MAX_EVENT_BYTES) return true;
  return text.length * 3 > MAX_EVENT_BYTES && new TextEncoder().encode(text).byteLength > MAX_EVENT_BYTES;
}
