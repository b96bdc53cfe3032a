// Pages of a session's threads, cut out of all of them: the session answers with the whole, and gives no cursors.
import { type Listing, seek, toShortPage } from '@capstan/db/cursor';
import type { Page } from '@capstan/schema/page';
import type { SessionStatus } from '@capstan/schema/sessions';
import type { SessionAddress } from '@capstan/session/address';
import type { ThreadView } from '@capstan/session/service';

export interface ThreadQuery {
  limit: number;
  page?: string | undefined;
  statuses?: SessionStatus[] | undefined;
}

const MOST_CHARACTERS = 4_000_000;

/** Threads never go, so a place among all of them holds while their statuses change. */
export function pageOfThreads(
  all: readonly ThreadView[],
  query: ThreadQuery,
  address: SessionAddress,
): Page<ThreadView> {
  const { limit, page, statuses } = query;
  const { tenantId, sessionId } = address;
  const listing: Listing = { list: `threads of ${sessionId}`, tenantId, order: 'asc', limit, page };
  const at = seek(listing);
  const start = at.id === null ? 0 : all.findIndex(({ id }) => id === at.id) + 1;
  const wanted = all
    .slice(start)
    .filter(({ status }) => statuses === undefined || statuses.includes(status))
    .slice(0, at.take);
  const { rows, next } = toShortPage(listing, { at, matched: wanted.length }, fitting(wanted));
  return { data: rows, next_page: next };
}

/** The first of them, at least one, that can be written as JSON within a Worker's memory: each shows its whole agent. */
function fitting(threads: readonly ThreadView[]): ThreadView[] {
  let left = MOST_CHARACTERS;
  const end = threads.findIndex((thread) => {
    const full = left <= 0;
    left -= JSON.stringify(thread).length;
    return full;
  });
  return threads.slice(0, end === -1 ? undefined : end);
}
