// What the tenant's webhook endpoints are told of a session: read off its log, so that it is owed for as long as it was not
// told. An announcement's id follows from its log event's: told again, it is the same one.
import type { Announcement, WebhookNews } from '@capstan/schema/webhook-events';
import type { Entry, LoggedEntry } from './entry.ts';
import type { Outbox } from './ports.ts';
import { Reporter, type ReporterPorts } from './reporter.ts';
import type { SessionSpec } from './spec.ts';

export class Announcer extends Reporter<Announcement> {
  /** `settled` is called whenever everything is told, or a write has failed. */
  constructor(ports: ReporterPorts & { outbox: Outbox }, { sessionId }: SessionSpec, settled: () => void) {
    const report = {
      mark: 'announced' as const,
      debt: 'announcements' as const,
      failure: 'outbox.announce_failed',
      linesOf: (entry: LoggedEntry) => announcementsOf(entry, sessionId),
      record: (lines: readonly Announcement[]) => ports.outbox.announce(lines),
    };
    super(ports, report, settled);
  }
}

/** What is told because of one entry of the log; nothing of most. */
export function announcementsOf(entry: Entry, sessionId: string): Announcement[] {
  const { id, processed_at } = entry.event;
  if (processed_at === null) return [];
  const tail = id.slice(id.indexOf('_') + 1);
  const about = { id: sessionId, now: Date.parse(processed_at) };
  return newsOf(entry).map((news, index) => ({
    ...news,
    ...about,
    eventId: `whe_${tail}${index === 0 ? '' : index + 1}`,
  }));
}

/** What is told beside the session and the time. */
type News = WebhookNews extends infer Told
  ? Told extends unknown
    ? Omit<Told, 'id' | 'now'> & Pick<Announcement, 'ends'>
    : never
  : never;

function newsOf({ event, note }: Entry): News[] {
  switch (event.type) {
    case 'session.status_running':
      return [{ type: 'session.status_run_started' }];
    case 'session.status_idle': {
      const { type } = event.stop_reason;
      // Whoever waits for an answer has not ended.
      if (type === 'requires_action') return [{ type: 'session.status_idled' }, { type: `session.${type}` }];
      if (type === 'budget_reached')
        return [{ type: 'session.status_idled', ends: 'failed' }, { type: `session.${type}` }];
      return [{ type: 'session.status_idled', ends: type === 'end_turn' ? 'succeeded' : 'failed' }];
    }
    case 'session.status_rescheduled':
      return [{ type: 'session.status_rescheduled' }];
    case 'session.status_terminated':
      return note?.archived
        ? [{ type: 'session.status_terminated', ends: 'failed' }, { type: 'session.archived' }]
        : [{ type: 'session.status_terminated', ends: 'failed' }];
    case 'session.updated':
      return note?.fork ? [] : [{ type: 'session.updated' }];
    case 'session.deleted':
      return [{ type: 'session.deleted', ends: 'failed' }];
    case 'session.thread_created':
      return [{ type: 'session.thread_created', threadId: event.session_thread_id }];
    case 'session.thread_status_idle':
      return [{ type: 'session.thread_idled', threadId: event.session_thread_id }];
    case 'session.thread_status_terminated':
      if (note?.again) return [];
      return [{ type: 'session.thread_terminated', threadId: event.session_thread_id }];
    case 'span.outcome_evaluation_end':
      return [{ type: 'session.outcome_evaluation_ended' }];
    default:
      return [];
  }
}
