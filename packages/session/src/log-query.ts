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
  const selection = selectView(query.thread === undefined ? 'session' : { thread: query.thread });
  const { where, params } = selection;
  where.push('hidden = 0');
  if (query.page !== undefined) {
    where.push(query.order === 'asc' ? 'seq > ?' : 'seq < ?');
    params.push(parseCursor(query.page, query.order).seq);
  }
  if (query.types !== undefined) {
    where.push('type IN (SELECT value FROM json_each(?))');
    params.push(JSON.stringify(query.types));
  }
  if (query.after !== undefined) {
    where.push(`processed_at ${query.after.inclusive ? '>=' : '>'} ?`);
    params.push(query.after.at);
  }
  if (query.before !== undefined) {
    where.push(`processed_at ${query.before.inclusive ? '<=' : '<'} ?`);
    params.push(query.before.at);
  }
  return selection;
}
