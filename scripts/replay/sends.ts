// Input as it was sent: rows that came in with one send, as far as that makes a difference.
import type { EventParam } from '../../packages/schema/src/events/user-events.ts';
import type { LoggedEntry } from '../../packages/session/src/entry.ts';

interface Group {
  params: EventParam[];
  rows: LoggedEntry[];
}

/** Input that stands side by side from row `at` on. `live` gives the id here of what the recording names. */
export function groupFrom(rows: readonly LoggedEntry[], at: number, live: (id: string) => string): Group {
  const group: Group = { params: [], rows: [] };
  for (let index = at; index < rows.length; index++) {
    const row = rows[index];
    const param = row && toParam(row, live);
    if (!row || !param) break;
    group.params.push(param);
    group.rows.push(row);
    if (param.type === 'user.interrupt' || param.type === 'system.message') break;
  }
  return group;
}

function toParam({ event }: LoggedEntry, live: (id: string) => string): EventParam | null {
  const thread = 'session_thread_id' in event && event.session_thread_id;
  const routed = thread ? { session_thread_id: live(thread) } : {};
  switch (event.type) {
    case 'user.message':
      return { type: event.type, content: event.content, ...routed };
    case 'user.interrupt':
      return { type: event.type, ...routed };
    case 'system.message':
      return { type: event.type, content: event.content };
    case 'user.define_outcome': {
      const { type, description, rubric, max_iterations } = event;
      return { type, description, rubric, max_iterations };
    }
    case 'user.tool_confirmation': {
      const { type, tool_use_id, result, deny_message } = event;
      return { type, tool_use_id: live(tool_use_id), result, ...(deny_message ? { deny_message } : {}) };
    }
    case 'user.custom_tool_result': {
      const { type, custom_tool_use_id, content, is_error } = event;
      return { type, custom_tool_use_id: live(custom_tool_use_id), content, is_error };
    }
    default:
      return null;
  }
}
