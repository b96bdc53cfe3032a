// What is asked of an event list or stream, in the session's words: the same for a session and for one of its threads.
import { ApiError } from '@capstan/schema/error';
import type { EventListQuery, EventStreamQuery } from '@capstan/schema/events';
import type { EventQuery, StreamQuery } from '@capstan/session/service';

type Bound = { at: number; inclusive: boolean };

export function toEventQuery({ limit, order, page, types, ...bounds }: EventListQuery): EventQuery {
  const after = stricter(bounds['created_at[gt]'], bounds['created_at[gte]'], 'later');
  const before = stricter(bounds['created_at[lt]'], bounds['created_at[lte]'], 'earlier');
  return {
    limit,
    order,
    ...(page !== undefined && { page }),
    ...(types !== undefined && { types }),
    ...(after && { after }),
    ...(before && { before }),
  };
}

/** `Last-Event-ID` counts before `after`: a browser's reconnect repeats the query it began with. */
export function toStreamQuery({ after, event_deltas }: EventStreamQuery, request: Request): StreamQuery {
  const from = lastEventId(request) ?? after;
  return { ...(from !== undefined && { after: from }), ...(event_deltas && { deltas: event_deltas }) };
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
