// Which rows a read is about, as SQL: a view, and the filters of a list.
import { parseCursor } from './event-cursor.ts';
import type { View } from './ports.ts';
import type { EventQuery } from './service.ts';
import type { SqlValue } from './sql.ts';

export interface Selection {
  /** The table, and the index the view is walked by: its rows are found without reading those of other threads. */
  from: string;
  where: string[];
  params: SqlValue[];
}

/** Without a view, all threads. */
export function selectView(view: View | undefined): Selection {
  if (view === undefined) return { from: 'events', where: [], params: [] };
  if (view === 'session') {
    const where = ['(thread IS NULL OR shared = 1)'];
    return { from: 'events INDEXED BY events_in_session', where, params: [] };
  }
  const where = ['thread = ?'];
  return { from: 'events INDEXED BY events_in_thread', where, params: [view.thread] };
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
