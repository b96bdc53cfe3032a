// What an event means for the thread it belongs to.
import type { SessionEvent } from '@capstan/schema/events';
import { addUsage, contextTokens } from '@capstan/schema/usage';
import type { Entry, Note } from './entry.ts';
import type { Input, OpenCall, Queued, ThreadState } from './state.ts';

/** `at`: when the event was processed, epoch ms; null while it is queued. */
export function evolveThread(thread: ThreadState, entry: Entry, at: number | null): ThreadState {
  const next = withBill(spoken(thread, entry) ?? worked(thread, entry) ?? stood(thread, entry), entry.note);
  return at === null ? next : { ...next, updatedAt: Math.max(next.updatedAt, at) };
}

/** Input and answers. */
function spoken(thread: ThreadState, { event, note }: Entry): ThreadState | null {
  switch (event.type) {
    case 'user.message':
    case 'system.message':
      return event.processed_at === null ? queued(thread, event, note) : read(taken(thread, event.id));
    case 'agent.thread_message_received':
      return read(taken(thread, note?.delivers ?? ''));
    case 'user.define_outcome':
      return { ...thread, unseen: true, steps: 0 };
    case 'user.tool_confirmation':
      return event.result === 'allow' ? approved(thread, event, note?.approved) : thread;
    case 'user.custom_tool_result':
      return closed(thread, event.custom_tool_use_id);
    case 'user.tool_result':
      return closed(thread, event.tool_use_id);
    default:
      return null;
  }
}

/** Model calls and tool calls. */
function worked(thread: ThreadState, { event, note }: Entry): ThreadState | null {
  switch (event.type) {
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
      return opened(thread, event, {
        ...whomFor(event, note),
        ...(event.capstan?.input_sha256 ? { hash: event.capstan.input_sha256 } : {}),
        ...(note?.spill ? { spill: note.spill } : {}),
      });
    case 'agent.custom_tool_use':
      return opened(thread, event, {
        waitsFor: 'client',
        since: Date.parse(event.processed_at),
        ...(note?.spill ? { spill: note.spill } : {}),
      });
    case 'agent.tool_result':
      return closed(note?.heard ? { ...thread, missing: null } : thread, event.tool_use_id);
    case 'agent.mcp_tool_result':
      return closed(note?.heard ? { ...thread, missing: null } : thread, event.mcp_tool_use_id);
    case 'agent.message':
      // What a broken reply had said is no progress: it might break off there for ever.
      return note?.cut ? cut(thread, event) : progressed(whole({ ...thread, compactions: 0 }));
    case 'agent.thread_message_sent':
      // The reply that made the call ends after this row, and has not seen what the call was answered.
      return note?.call ? progressed({ ...thread, compactions: 0, unseen: true }) : thread;
    case 'agent.thinking':
      return progressed(thread);
    case 'agent.thread_context_compacted':
      return {
        ...thread,
        contextFrom: note?.compactedTo ?? thread.contextFrom,
        contextTokens: 0,
        tooLong: false,
        compactions: thread.compactions + 1,
      };
    case 'span.model_request_start':
      return requested(thread, event, note);
    case 'span.model_request_end':
      return answered(thread, event, note);
    case 'span.outcome_evaluation_end':
      return event.result === 'needs_revision' || event.result === 'max_iterations_reached'
        ? { ...thread, unanswered: true, steps: 0 }
        : thread;
    default:
      return null;
  }
}

/** Where the thread stands. */
function stood(thread: ThreadState, { event, note }: Entry): ThreadState {
  switch (event.type) {
    case 'session.thread_status_running':
      return {
        ...thread,
        status: 'running',
        turnId: event.id,
        steps: thread.status === 'rescheduling' ? thread.steps : 0,
        retryAt: null,
        activeSince: Date.parse(event.processed_at),
      };
    case 'session.thread_status_idle': {
      const { stop_reason: reason, stop_details: details } = event;
      // A thread that its budget stopped still has its work to do.
      const paused = reason.type === 'budget_reached';
      return {
        ...progressed(rested(thread, event)),
        status: 'idle',
        // Whoever writes next is given every try again.
        compactions: 0,
        paused,
        stop: { reason, details },
        unanswered: paused && thread.unanswered,
        unseen: paused && thread.unseen,
        retryAt: null,
      };
    }
    case 'session.thread_status_rescheduled':
      return {
        ...rested(thread, event),
        status: 'rescheduling',
        calls: thread.calls.map((call) => (call.waitsFor === 'nobody' ? { ...call, begun: true } : call)),
        attempt: note?.retry?.attempt ?? thread.attempt,
        restarts: note?.retry?.restarts ?? thread.restarts,
        retryAt: note?.retry?.at ?? Date.parse(event.processed_at),
      };
    case 'session.thread_status_terminated':
      return {
        ...rested(thread, event),
        status: 'terminated',
        paused: false,
        queue: [],
        calls: [],
        unanswered: false,
        unseen: false,
        retryAt: null,
        archivedAt: note?.archived ? Date.parse(event.processed_at) : thread.archivedAt,
      };
    default:
      return thread;
  }
}

type Message = Extract<SessionEvent, { type: 'agent.message' }>;

/** Somebody waits for all that a step says, the beginning too. */
function cut(thread: ThreadState, { content }: Message): ThreadState {
  if (thread.step === undefined) return thread;
  const text = content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  return { ...thread, begunText: `${thread.begunText ?? ''}${text}` };
}

function whole({ begunText: _, ...thread }: ThreadState): ThreadState {
  return thread;
}

function withBill(thread: ThreadState, note: Note | undefined): ThreadState {
  return note?.bill ? { ...thread, usage: addUsage(thread.usage, note.bill.usage) } : thread;
}

function progressed(thread: ThreadState): ThreadState {
  return { ...thread, attempt: 0, restarts: 0 };
}

function queued(thread: ThreadState, event: Queued, note: Note | undefined): ThreadState {
  const spill = note?.spill ? { spill: note.spill } : {};
  const input: Input = { kind: 'event', id: event.id, event, ...spill };
  return { ...thread, queue: [...thread.queue, input] };
}

function taken(thread: ThreadState, id: string): ThreadState {
  return { ...thread, queue: thread.queue.filter((input) => input.id !== id) };
}

/** Each message has the whole number of steps to itself. */
function read(thread: ThreadState): ThreadState {
  return { ...thread, unanswered: true, steps: 0 };
}

type ToolUse = Extract<
  SessionEvent,
  { type: 'agent.tool_use' | 'agent.mcp_tool_use' | 'agent.custom_tool_use' }
>;

function opened(
  thread: ThreadState,
  use: ToolUse,
  how: Omit<OpenCall, 'id' | 'name' | 'server' | 'input' | 'begun'>,
): ThreadState {
  const { id, name, input } = use;
  const server = use.type === 'agent.mcp_tool_use' ? { server: use.mcp_server_name } : {};
  const calls = [...thread.calls, { id, name, ...server, input, begun: false, ...how }];
  return progressed({ ...thread, calls, compactions: 0 });
}

function whomFor(
  event: Exclude<ToolUse, { type: 'agent.custom_tool_use' }>,
  note: Note | undefined,
): Pick<OpenCall, 'waitsFor' | 'remote' | 'since'> {
  const remote = note?.remote ? { remote: note.remote } : {};
  if (event.evaluated_permission === 'ask') return { waitsFor: 'confirmation', ...remote };
  if (!note?.remote) return { waitsFor: 'nobody' };
  return { waitsFor: 'worker', ...remote, since: Date.parse(event.processed_at) };
}

type Confirmed = Extract<SessionEvent, { type: 'user.tool_confirmation' }>;

/** Approved for exactly the input whose hash was approved. */
function approved(thread: ThreadState, event: Confirmed, hash: string | undefined): ThreadState {
  const since = Date.parse(event.processed_at ?? '') || 0;
  const calls = thread.calls.map((call): OpenCall => {
    if (call.id !== event.tool_use_id || call.hash !== hash) return call;
    return call.remote ? { ...call, waitsFor: 'worker', since } : { ...call, waitsFor: 'nobody' };
  });
  return { ...thread, calls };
}

function closed(thread: ThreadState, id: string): ThreadState {
  const calls = thread.calls.filter((call) => call.id !== id);
  return progressed({ ...thread, calls, unanswered: true });
}

export const NOTHING_RESERVED = { nanoUsd: 0, tokens: 0, input: 0, output: null };

type RequestStart = Extract<SessionEvent, { type: 'span.model_request_start' }>;

function requested(thread: ThreadState, event: RequestStart, note: Note | undefined): ThreadState {
  const { provider = 'dev', model = '' } = event.capstan ?? {};
  const { price = null, reserved = NOTHING_RESERVED, limits, judges } = note?.span ?? {};
  const startedAt = Date.parse(event.processed_at);
  const begun = { id: event.id, provider, model, price, reserved, startedAt };
  if (judges !== undefined) {
    // The reply it judges is whole: what it took is known.
    const openSpan = thread.openSpan && { ...thread.openSpan, reserved: judges.took };
    return { ...thread, openSpan, judging: { ...begun, kind: 'permission' } };
  }
  return {
    ...thread,
    openSpan: { ...begun, kind: limits === undefined ? 'compaction' : 'model' },
    steps: thread.steps + 1,
    unanswered: thread.unanswered || thread.unseen,
    unseen: false,
  };
}

type RequestEnd = Extract<SessionEvent, { type: 'span.model_request_end' }>;

function answered(thread: ThreadState, event: RequestEnd, note: Note | undefined): ThreadState {
  if (thread.judging?.id === event.model_request_start_id) return { ...thread, judging: null };
  const replied = event.is_error === false && note?.bill?.kind === 'model';
  return {
    ...thread,
    openSpan: null,
    unanswered: replied ? false : thread.unanswered,
    contextTokens: replied ? contextTokens(event.model_usage) : thread.contextTokens,
    tooLong: thread.tooLong || note?.tooLong !== undefined,
    compactions: thread.compactions + (note?.tooLong === 'transcript' ? 1 : 0),
    mediaFrom: note?.badMedia?.upTo ?? thread.mediaFrom,
  };
}

function rested(thread: ThreadState, event: { processed_at: string }): ThreadState {
  const since = thread.activeSince;
  const worked = since === null ? 0 : Math.max(0, Date.parse(event.processed_at) - since);
  return {
    ...thread,
    turnId: null,
    openSpan: null,
    judging: null,
    activeSince: null,
    activeMs: thread.activeMs + worked,
  };
}
