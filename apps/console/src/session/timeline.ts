// From the log to what a reader sees: pure. A tool's use, its result and the person's answer become one item.
import type { EventOf, SessionEvent } from '@capstan/schema/events';
import type { StopReason } from '@capstan/schema/events/session-events';
import type { SessionStatus } from '@capstan/schema/sessions';
import type { ToldUsage } from '@capstan/schema/usage';
import type { Snapshot } from './log.ts';
import { describe } from './notes.ts';

export type ToolUse = EventOf<'agent.tool_use' | 'agent.mcp_tool_use' | 'agent.custom_tool_use'>;
export type ToolResult = EventOf<
  'agent.tool_result' | 'agent.mcp_tool_result' | 'user.custom_tool_result' | 'user.tool_result'
>;
export type Confirmation = EventOf<'user.tool_confirmation'>;
export type Answerer = NonNullable<EventOf<'span.model_request_start'>['capstan']>;

export type Item =
  | { kind: 'user'; key: string; event: EventOf<'user.message'> }
  | {
      kind: 'agent';
      key: string;
      text: string;
      live: boolean;
      at: string | null;
      answerer: Answerer | undefined;
    }
  | { kind: 'thinking'; key: string; live: boolean }
  | {
      kind: 'tool';
      key: string;
      use: ToolUse;
      result: ToolResult | undefined;
      confirmation: Confirmation | undefined;
      awaiting: boolean;
    }
  | { kind: 'error'; key: string; event: EventOf<'session.error'> }
  | { kind: 'note'; key: string; text: string; at: string | null };

export interface Timeline {
  items: Item[];
  /** Undefined while no event has told: the session's own status then holds. */
  status: SessionStatus | undefined;
  stopReason: StopReason | undefined;
  usage: ToldUsage | undefined;
  answerer: Answerer | undefined;
  /** Tool uses that wait for the person. */
  awaiting: ToolUse[];
}

export function toTimeline(snapshot: Snapshot): Timeline {
  const answers = answersIn(snapshot.events);
  const state = stateOf(snapshot.events);
  const waiting = new Set(state.stopReason?.type === 'requires_action' ? state.stopReason.event_ids : []);
  const timeline: Timeline = { items: [], ...state, answerer: undefined, awaiting: [] };
  for (const event of snapshot.events) {
    if (event.type === 'span.model_request_start') timeline.answerer = event.capstan ?? timeline.answerer;
    const item = toItem(event, answers, timeline.answerer);
    if (item === null) continue;
    if (item.kind === 'tool' && waiting.has(item.key) && !item.result && !item.confirmation) {
      item.awaiting = true;
      timeline.awaiting.push(item.use);
    }
    timeline.items.push(item);
  }
  for (const { id, type, text } of snapshot.previews) {
    if (type === 'agent.thinking') timeline.items.push({ kind: 'thinking', key: id, live: true });
    else
      timeline.items.push({
        kind: 'agent',
        key: id,
        text,
        live: true,
        at: null,
        answerer: timeline.answerer,
      });
  }
  return timeline;
}

interface Answers {
  uses: Set<string>;
  results: Map<string, ToolResult>;
  confirmations: Map<string, Confirmation>;
}

function answersIn(events: readonly SessionEvent[]): Answers {
  const answers: Answers = { uses: new Set(), results: new Map(), confirmations: new Map() };
  for (const event of events) {
    const answered = answeredId(event);
    if (event.type === 'user.tool_confirmation') answers.confirmations.set(event.tool_use_id, event);
    else if (answered !== null) answers.results.set(answered.id, answered.result);
    else if (isToolUse(event)) answers.uses.add(event.id);
  }
  return answers;
}

function answeredId(event: SessionEvent): { id: string; result: ToolResult } | null {
  switch (event.type) {
    case 'agent.tool_result':
    case 'user.tool_result':
      return { id: event.tool_use_id, result: event };
    case 'agent.mcp_tool_result':
      return { id: event.mcp_tool_use_id, result: event };
    case 'user.custom_tool_result':
      return { id: event.custom_tool_use_id, result: event };
    default:
      return null;
  }
}

function isToolUse(event: SessionEvent): event is ToolUse {
  return (
    event.type === 'agent.tool_use' ||
    event.type === 'agent.mcp_tool_use' ||
    event.type === 'agent.custom_tool_use'
  );
}

function stateOf(events: readonly SessionEvent[]): Pick<Timeline, 'status' | 'stopReason' | 'usage'> {
  const state: Pick<Timeline, 'status' | 'stopReason' | 'usage'> = {
    status: undefined,
    stopReason: undefined,
    usage: undefined,
  };
  for (const event of events) {
    if (event.type === 'session.usage') state.usage = event.usage;
    const status = STATUS_OF[event.type];
    if (status === undefined) continue;
    state.status = status;
    state.stopReason = event.type === 'session.status_idle' ? event.stop_reason : undefined;
  }
  return state;
}

const STATUS_OF: { [type in SessionEvent['type']]?: SessionStatus } = {
  'session.status_running': 'running',
  'session.status_idle': 'idle',
  'session.status_rescheduled': 'rescheduling',
  'session.status_terminated': 'terminated',
};

function toItem(event: SessionEvent, answers: Answers, answerer: Answerer | undefined): Item | null {
  const key = event.id;
  if (isToolUse(event)) {
    const result = answers.results.get(key);
    return {
      kind: 'tool',
      key,
      use: event,
      result,
      confirmation: answers.confirmations.get(key),
      awaiting: false,
    };
  }
  if (event.type === 'user.message') return { kind: 'user', key, event };
  if (event.type === 'agent.message') {
    const text = event.content.map((block) => (block.type === 'text' ? block.text : '[redacted]')).join('');
    return { kind: 'agent', key, text, live: false, at: event.processed_at, answerer };
  }
  if (event.type === 'agent.thinking') return { kind: 'thinking', key, live: false };
  if (event.type === 'session.error') return { kind: 'error', key, event };
  const answered = answeredId(event);
  if (answered !== null && answers.uses.has(answered.id)) return null;
  const text = describe(event);
  return text === null ? null : { kind: 'note', key, text, at: event.processed_at };
}

const JUDGED = {
  allow: 'Judged to be safe.',
  ask: 'Not judged to be safe.',
  deny: 'Judged to be high-risk.',
};

/** What a call under the policy `auto` was judged to be, and why; null: nobody judged it. */
export function judgementOf(use: ToolUse): { said: string; why: string } | null {
  if (use.type === 'agent.custom_tool_use' || use.evaluation?.type !== 'auto') return null;
  const { evaluated_permission: judged } = use.evaluation;
  const unfunded = judged.type === 'deny' && judged.reason_code === 'indeterminate';
  return { said: unfunded ? 'Not judged.' : JUDGED[judged.type], why: use.capstan?.judgement ?? '' };
}
