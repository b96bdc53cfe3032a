// A session's events over HTTP: sent, listed and streamed by the session itself; here is only the translation.
import { ApiError } from '@capstan/schema/error';
import { eventRoutes } from '@capstan/schema/events';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { EventQuery } from '@capstan/session/service';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

/** One call between Workers carries 32 MiB; this leaves room for what is around the text. */
const MOST_CALL_BYTES = 30_000_000;

type Bound = { at: number; inclusive: boolean };

export function mountEvents(surface: Surface): void {
  const { sessions } = surface.ports;

  mount(surface, eventRoutes.send, async ({ principal: { tenantId }, params, body, claim, head }) => {
    requireSendable(body.events);
    const address = { tenantId, sessionId: params.session_id };
    const { events, replayed } = await sessions.send(address, body.events, claim);
    return answer({ reply: { data: events }, replayed }, head);
  });

  mount(surface, eventRoutes.list, async ({ principal: { tenantId }, params, query }) => {
    const address = { tenantId, sessionId: params.session_id };
    const { limit, order, page, types } = query;
    const after = stricter(query['created_at[gt]'], query['created_at[gte]'], 'later');
    const before = stricter(query['created_at[lt]'], query['created_at[lte]'], 'earlier');
    const asked: EventQuery = {
      limit,
      order,
      ...(page !== undefined && { page }),
      ...(types !== undefined && { types }),
      ...(after && { after }),
      ...(before && { before }),
    };
    const { data, next_page } = await sessions.listEvents(address, asked);
    return { data, next_page };
  });

  mount(surface, eventRoutes.stream, async ({ principal: { tenantId }, params, query, request }) => {
    const address = { tenantId, sessionId: params.session_id };
    const after = lastEventId(request) ?? query.after;
    if (request.method === 'HEAD') {
      await sessions.view(address);
      return null;
    }
    return sessions.streamEvents(address, {
      ...(after !== undefined && { after }),
      ...(query.event_deltas && { deltas: query.event_deltas }),
    });
  });
}

/** Text between Workers takes a byte a character, or two when any of its characters is beyond Latin-1. */
function requireSendable(events: readonly EventParam[]): void {
  const texts = events.map((event) => JSON.stringify(event));
  const size = texts.reduce((sum, text) => sum + text.length * (/[\u0100-\uffff]/.test(text) ? 2 : 1), 0);
  if (size <= MOST_CALL_BYTES) return;
  throw new ApiError(
    'too_large',
    'events: too long together to be taken at once; send fewer or shorter ones',
  );
}

/** Of an exclusive and an inclusive bound, the one that lets less through. */
function stricter(
  exclusive: string | undefined,
  inclusive: string | undefined,
  which: 'later' | 'earlier',
): Bound | null {
  const bounds: Bound[] = [
    ...(exclusive === undefined ? [] : [{ at: Date.parse(exclusive), inclusive: false }]),
    ...(inclusive === undefined ? [] : [{ at: Date.parse(inclusive), inclusive: true }]),
  ];
  const sign = which === 'later' ? -1 : 1;
  return (
    bounds.toSorted((a, b) => sign * (a.at - b.at) || Number(a.inclusive) - Number(b.inclusive))[0] ?? null
  );
}

function lastEventId(request: Request): number | undefined {
  const header = request.headers.get('last-event-id');
  if (header === null || header === '') return undefined;
  const sequence = Number(header);
  if (/^\d{1,15}$/.test(header)) return sequence;
  throw new ApiError(
    'invalid_request',
    'last-event-id: expected the id of an event of this stream, a number',
  );
}
