// What a fork may begin with: the newest snapshot of the sandbox, if nothing in it was done after the event of the fork;
// and the tools that the agent had there.
import type { AgentTools } from '@capstan/schema/agents';
import type { SessionEvent } from '@capstan/schema/events';
import type { Page } from '@capstan/schema/page';
import { formatCursor, toPublic } from './event-cursor.ts';
import type { LentSnapshot } from './harness.ts';
import type { Ports } from './ports.ts';
import type { EventQuery } from './service.ts';

export async function lendSnapshot(
  { harness, log }: Pick<Ports, 'harness' | 'log'>,
  eventId: string,
): Promise<LentSnapshot | null> {
  const newest = harness.snapshot();
  const at = await log.position(eventId);
  if (newest === null || at === null) return null;
  if (newest.upTo !== null && ((await log.position(newest.upTo)) ?? at + 1) > at) return null;
  const lent = await harness.lend();
  // Another one may have been taken meanwhile.
  return lent?.upTo === newest.upTo ? lent : null;
}

interface Read {
  position(eventId: string): Promise<number | null>;
  events(query: EventQuery): Promise<Page<SessionEvent>>;
}

/** Null: those that the session was created with; or it has no such event. */
export async function toolsAt(
  runtime: Read,
  { sessionId, eventId }: { sessionId: string; eventId: string },
): Promise<AgentTools | null> {
  const at = await runtime.position(eventId);
  if (at === null) return null;
  const query = { types: ['session.updated' as const], order: 'desc' as const, limit: 100 };
  let page: string | null = toPublic(formatCursor({ seq: at + 1, order: 'desc' }), sessionId);
  while (page !== null) {
    const changes: Page<SessionEvent> = await runtime.events({ ...query, page });
    for (const event of changes.data) {
      if (event.type !== 'session.updated' || event.agent === undefined) continue;
      const { tools, mcp_servers } = event.agent;
      return { tools, mcp_servers };
    }
    page = changes.next_page;
  }
  return null;
}
