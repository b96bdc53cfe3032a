// What was said in a session, as text for an agent to read: the latest of it, as much as one file may have.
import type { EventType, SessionEvent } from '@capstan/schema/events';
import type { SessionAddress } from '@capstan/session/address';
import type { Sessions } from '@capstan/session/service';

const MAX_CHARS = 500_000;
/** Of one call or result: what it was about is said at its beginning. */
const MAX_CALL_CHARS = 2_000;
const MAX_MESSAGE_CHARS = 50_000;
const PAGE = 200;
const TYPES: EventType[] = [
  'user.message',
  'agent.message',
  'agent.tool_use',
  'agent.tool_result',
  'agent.mcp_tool_use',
  'agent.mcp_tool_result',
  'agent.custom_tool_use',
  'user.custom_tool_result',
];

/** Refuses (`not_found`) a session that is not there. */
export async function transcriptOf(
  sessions: Pick<Sessions, 'listEvents'>,
  address: SessionAddress,
): Promise<string> {
  const latest: string[] = [];
  let size = 0;
  let page: string | null = null;
  do {
    const query = { limit: PAGE, order: 'desc' as const, types: TYPES, ...(page !== null && { page }) };
    const found = await sessions.listEvents(address, query);
    for (const event of found.data) {
      const text = render(event);
      size += text.length;
      if (size > MAX_CHARS) return joined([...latest, '(What was said before is left out.)\n'], address);
      latest.push(text);
    }
    page = found.next_page;
  } while (page !== null);
  return joined(latest, address);
}

function joined(latest: string[], { sessionId }: SessionAddress): string {
  return [`# Session ${sessionId}\n`, ...latest.toReversed()].filter((text) => text !== '').join('\n');
}

function render(event: SessionEvent): string {
  switch (event.type) {
    case 'user.message':
    case 'agent.message':
      return section(
        event.type === 'user.message' ? 'User' : 'Agent',
        cut(textOf(event.content), MAX_MESSAGE_CHARS),
      );
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
    case 'agent.custom_tool_use':
      return section(`Agent calls ${event.name}`, cut(JSON.stringify(event.input), MAX_CALL_CHARS));
    case 'agent.tool_result':
    case 'agent.mcp_tool_result':
    case 'user.custom_tool_result':
      return section('Result', cut(textOf(event.content ?? []), MAX_CALL_CHARS));
    default:
      return '';
  }
}

function section(who: string, text: string): string {
  return `## ${who}\n${text}\n`;
}

function textOf(content: readonly { type: string; text?: string }[]): string {
  return content.map((block) => block.text ?? `(${block.type})`).join('\n');
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most).toWellFormed()}\n(${text.length - most} more characters are left out.)`;
}
