// Which rows a read is about, as SQL: a view, and the filters of a list.
import { parseCursor } from './event-cursor.ts';
import type { View } from './ports.ts';
import type { EventQuery } from './service.ts';
import type { SqlValue } from './sql.ts';

export interface Selection {
  where: string[];
  params: SqlValue[];
}

/** Without a view, all threads. Each view is the condition of an index, word for word: it is walked by that index. */
export function selectView(view: View | undefined): Selection {
  if (view === undefined) return { where: [], params: [] };
  if (view === 'session') return { where: ['(thread IS NULL OR shared = 1)'], params: [] };
  return { where: ['thread = ?'], params: [view.thread] };
}

/** What is queued and was taken since is left out: it is listed where it was taken. */
export function selectPage(query: EventQuery & { thread?: string }): Selection {
  const view = selectView(query.thread === undefined ? 'session' : { thread: query.thread });
  const bounds = selectBounds(query);
  const where = [...view.where, 'hidden = 0', ...bounds.where];
  const params = [...view.params, ...bounds.params];
  if (query.page !== undefined) {
    where.push(query.order === 'asc' ? 'seq > ?' : 'seq < ?');
    params.push(parseCursor(query.page, query.order).seq);
  }
  if (query.types !== undefined) {
    where.push('type IN (SELECT value FROM json_each(?))');
    params.push(JSON.stringify(query.types));
  }
  return { where, params };
}

/** The row that the cursor of a bounded list stands at, if the bounds let it through. Null: there is nothing to look for. */
export function selectPlace({ page, order, ...query }: EventQuery): Selection | null {
  const { where, params } = selectBounds(query);
  if (page === undefined || where.length === 0) return null;
  return { where: ['seq = ?', ...where], params: [parseCursor(page, order).seq, ...params] };
}

function selectBounds({ after, before }: Pick<EventQuery, 'after' | 'before'>): Selection {
  const where: string[] = [];
  const params: SqlValue[] = [];
  if (after !== undefined) {
    where.push(`processed_at ${after.inclusive ? '>=' : '>'} ?`);
    params.push(after.at);
  }
  if (before !== undefined) {
    where.push(`processed_at ${before.inclusive ? '<=' : '<'} ?`);
    params.push(before.at);
  }
  return { where, params };
}
