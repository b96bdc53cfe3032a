// Opaque positions in lists ordered by id. A cursor names the list, tenant and order it belongs to;
// any other use of it, and anything that is not a cursor, is an `invalid_request`.
import { ApiError } from '@capstan/schema/error';

export interface Listing {
  /** The list's name, e.g. `agents`. */
  list: string;
  tenantId: string;
  order: 'asc' | 'desc';
  limit: number;
  page?: string | undefined;
}

/** What to read: up to `take` ids beyond `id`, walking `order`. `backwards`: the page before, to be turned round. */
export interface Seek {
  id: string | null;
  backwards: boolean;
  order: 'asc' | 'desc';
  take: number;
}

export interface CursorPage<Row> {
  rows: Row[];
  next: string | null;
  prev: string | null;
}

const FORMAT = 1;

/** Ids are time-ordered, so new rows never move the rows of a page that was already read. */
export function seek(listing: Listing): Seek {
  const take = listing.limit + 1;
  if (listing.page === undefined) return { id: null, backwards: false, order: listing.order, take };
  const { id, backwards } = decode(listing.page, scopeOf(listing));
  const order = backwards ? (listing.order === 'asc' ? 'desc' : 'asc') : listing.order;
  return { id, backwards, order, take };
}

/** Turns the rows that `at` found, one more than the limit when there are more, into a page. */
export function toPage<Row extends { id: string }>(
  listing: Listing,
  at: Seek,
  found: Row[],
): CursorPage<Row> {
  return toShortPage(listing, { at, matched: found.length }, found);
}

/** The same when `matched` rows were there for `at`, but only the first of them were read. */
export function toShortPage<Row extends { id: string }>(
  listing: Listing,
  { at, matched }: { at: Seek; matched: number },
  found: Row[],
): CursorPage<Row> {
  const kept = found.slice(0, listing.limit);
  const rows = at.backwards ? kept.reverse() : kept;
  const more = matched > kept.length;
  const hasNext = at.backwards || more;
  const hasPrev = at.backwards ? more : at.id !== null;
  return {
    rows,
    next: hasNext ? edge(listing, rows.at(-1), false) : null,
    prev: hasPrev ? edge(listing, rows[0], true) : null,
  };
}

/** A page of what another place keeps, by a reader of up to `take` rows beyond an id. For lists without a way back. */
export async function pageById<Row extends { id: string }>(
  listing: Listing,
  read: (beyond: string | null, take: number) => Promise<Row[]>,
): Promise<CursorPage<Row>> {
  const at = seek(listing);
  if (at.backwards) throw refusal('this list has no way back');
  return toPage(listing, at, await read(at.id, at.take));
}

function edge(listing: Listing, row: { id: string } | undefined, backwards: boolean): string | null {
  if (row === undefined) return null;
  const text = JSON.stringify([FORMAT, scopeOf(listing), backwards ? 'prev' : 'next', row.id]);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function scopeOf({ list, tenantId, order }: Listing): string {
  return `${list}:${tenantId}:${order}`;
}

function decode(cursor: string, scope: string): { id: string; backwards: boolean } {
  const [format, itsScope, direction, id, ...rest] = parse(cursor);
  if (format !== FORMAT || typeof id !== 'string' || rest.length > 0)
    throw refusal('it is not a cursor of this server');
  if (itsScope !== scope) throw refusal('it belongs to another list or order');
  if (direction !== 'next' && direction !== 'prev') throw refusal('it is not a cursor of this server');
  return { id, backwards: direction === 'prev' };
}

function parse(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function refusal(why: string): ApiError {
  return new ApiError(
    'invalid_request',
    `page: ${why}; pass next_page of the previous answer, or leave it out`,
  );
}
