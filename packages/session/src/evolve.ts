// evolve: what an event means. Pure, total, and the only place state changes.
import type { SessionEvent } from '@capstan/schema/events';
import { addUsage } from '@capstan/schema/usage';
import type { Entry } from './entry.ts';
import type { OpenCall, State, UserEvent } from './state.ts';

export function evolve(state: State, entry: Entry): State {
  const next = apply(state, entry);
  const at = entry.event.processed_at;
  return at === null ? next : { ...next, updatedAt: Math.max(next.updatedAt, Date.parse(at)) };
}

/** The state after more entries; from nothing, the fold of a whole log. */
export function evolveAll(state: State, entries: Iterable<Entry>): State {
  let next = state;
  for (const entry of entries) next = evolve(next, entry);
  return next;
}

function apply(state: State, { event, note }: Entry): State {
  switch (event.type) {
    case 'user.message':
      return event.processed_at === null
        ? queued(state, event)
        : // Each message has the whole number of steps to itself.
          { ...taken(state, event.id), unanswered: true, steps: 0 };
    case 'user.interrupt':
      return event.processed_at === null ? queued(state, event) : taken(state, event.id);
    case 'user.tool_confirmation':
      return event.result === 'allow' ? released(state, event.tool_use_id) : state;
    case 'user.custom_tool_result':
      return closed(state, event.custom_tool_use_id);
    case 'agent.tool_use':
      return opened(state, {
        id: event.id,
        name: event.name,
        input: event.input,
        waitsFor: event.evaluated_permission === 'ask' ? 'confirmation' : 'nobody',
        begun: false,
      });
    case 'agent.custom_tool_use':
      return opened(state, {
        id: event.id,
        name: event.name,
        input: event.input,
        waitsFor: 'client',
        begun: false,
      });
    case 'agent.tool_result':
      return closed(state, event.tool_use_id);
    case 'agent.message':
    case 'agent.thinking':
      return { ...state, attempt: 0 };
    case 'span.model_request_start':
      return { ...state, openSpan: event.id, steps: state.steps + 1 };
    case 'span.model_request_end':
      return {
        ...state,
        openSpan: null,
        unanswered: event.is_error === false ? false : state.unanswered,
        usage: addUsage(state.usage, event.model_usage),
      };
    case 'session.status_running':
      return started(state, event);
    case 'session.status_idle':
      return { ...stopped(state, event), status: 'idle', unanswered: false, attempt: 0, retryAt: null };
    case 'session.status_rescheduled':
      return {
        ...stopped(state, event),
        status: 'rescheduling',
        calls: state.calls.map((call) => (call.waitsFor === 'nobody' ? { ...call, begun: true } : call)),
        attempt: note?.retry?.attempt ?? state.attempt,
        retryAt: note?.retry?.at ?? Date.parse(event.processed_at),
      };
    case 'session.status_terminated':
      return note?.archived
        ? { ...ended(state, event), archivedAt: Date.parse(event.processed_at) }
        : ended(state, event);
    case 'session.deleted':
      return { ...ended(state, event), deleted: true };
    default:
      return state;
  }
}

function queued(state: State, event: UserEvent): State {
  return { ...state, queue: [...state.queue, event] };
}

function taken(state: State, id: string): State {
  return state.queue.length === 0
    ? state
    : { ...state, queue: state.queue.filter((event) => event.id !== id) };
}

function opened(state: State, call: OpenCall): State {
  return { ...state, calls: [...state.calls, call], attempt: 0 };
}

function released(state: State, id: string): State {
  return {
    ...state,
    calls: state.calls.map((call) => (call.id === id ? { ...call, waitsFor: 'nobody' } : call)),
  };
}

function closed(state: State, id: string): State {
  return { ...state, calls: state.calls.filter((call) => call.id !== id), unanswered: true, attempt: 0 };
}

function started(state: State, event: Extract<SessionEvent, { type: 'session.status_running' }>): State {
  const resumed = state.status === 'rescheduling';
  return {
    ...state,
    status: 'running',
    turnId: event.id,
    steps: resumed ? state.steps : 0,
    retryAt: null,
    activeSince: Date.parse(event.processed_at),
  };
}

function ended(state: State, event: { processed_at: string }): State {
  return { ...stopped(state, event), status: 'terminated', queue: [], calls: [], retryAt: null };
}

function stopped(state: State, event: { processed_at: string }): State {
  const at = Date.parse(event.processed_at);
  const activeMs = state.activeSince === null ? 0 : Math.max(0, at - state.activeSince);
  return { ...state, turnId: null, openSpan: null, activeSince: null, activeMs: state.activeMs + activeMs };
}
