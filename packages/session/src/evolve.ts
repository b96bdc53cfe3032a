// evolve: what an event means. Pure, total, and the only place state changes. Threads: evolve-thread.ts.
import type { SessionEvent } from '@capstan/schema/events';
import { addUsage, addWebUse, contextTokens, ZERO_USAGE } from '@capstan/schema/usage';
import type { Bill, Entry } from './entry.ts';
import { evolveOutcome } from './evolve-outcome.ts';
import { evolveThread } from './evolve-thread.ts';
import { missed } from './missed.ts';
import { NOTHING_SPENT, newThread, type Spent, type State, type ThreadState } from './state.ts';
import { threadOfCall } from './thread.ts';
import { evolveRuns, ownerIn } from './workflow/evolve-run.ts';

/** Stopped calls that are remembered at most: the oldest have ended at their own limits. */
const MAX_STOPPING = 256;

export function evolve(state: State, entry: Entry): State {
  const at = entry.event.processed_at === null ? null : Date.parse(entry.event.processed_at);
  const known = told(whole(resumed(state, entry), entry), entry);
  const moved = withThread(reached(billed(known, entry), entry), entry, at);
  const next = evolveRuns(evolveOutcome(moved, entry), entry);
  return at === null ? next : { ...next, updatedAt: Math.max(next.updatedAt, at) };
}

/** The state after more entries; from the initial one, the fold of a whole log. */
export function evolveAll(state: State, entries: Iterable<Entry>): State {
  let next = state;
  for (const entry of entries) next = evolve(next, entry);
  return next;
}

/** What the event means for the session as a whole. */
function whole(state: State, { event, note }: Entry): State {
  switch (event.type) {
    case 'session.status_running':
      return { ...state, status: 'running', activeSince: Date.parse(event.processed_at) };
    case 'session.status_idle':
      return { ...rested(state, event), status: 'idle' };
    case 'session.status_rescheduled':
      return { ...rested(state, event), status: 'rescheduling' };
    case 'session.status_terminated':
      return {
        ...rested(state, event),
        status: 'terminated',
        outcome: null,
        archivedAt: note?.archived ? Date.parse(event.processed_at) : state.archivedAt,
      };
    case 'session.deleted':
      return { ...rested(state, event), status: 'terminated', deleted: true };
    case 'session.updated':
      return note?.fork ? forked(state, note.fork.into) : updated(state, event, note);
    case 'session.thread_created': {
      const { parentId = '', ...whose } = note?.created ?? {};
      const createdAt = Date.parse(event.processed_at);
      const { session_thread_id: id, agent_name: name } = event;
      const thread = newThread({
        id,
        name,
        member: null,
        ...('step' in whose ? ownerIn(state, whose.step) : {}),
        ...whose,
        parentId: here(state, parentId),
        createdAt,
      });
      return { ...state, threads: [...state.threads, thread] };
    }
    case 'agent.thread_message_sent': {
      const sender = state.threads.find((thread) => thread.id === note?.thread) ?? state.threads[0];
      const message = {
        kind: 'message' as const,
        id: event.id,
        from: sender?.id ?? '',
        fromName: sender === undefined || sender.parentId === null ? null : sender.name,
        content: event.content,
        ...(note?.spill ? { spill: note.spill } : {}),
      };
      const relayed = { ...state, relayed: state.relayed + 1 };
      return inThread(relayed, here(state, event.to_session_thread_id), (thread) => ({
        ...thread,
        queue: [...thread.queue, message],
      }));
    }
    case 'user.message':
    case 'user.define_outcome':
      return { ...state, relayed: 0 };
    default:
      return note?.cancel ? stopping(state, event, note.thread) : state;
  }
}

/** What it says of the sandbox. */
function told(state: State, { event, note }: Entry): State {
  switch (event.type) {
    case 'agent.tool_use':
    case 'agent.tool_result':
      return { ...state, worked: event.id };
    case 'session.sandbox_replaced': {
      const { restored, lost } = event;
      const threads = state.threads.map((thread) => ({
        ...thread,
        missing: missed({ restored, lost }, thread.missing),
      }));
      return { ...state, threads, told: event.id };
    }
    case 'span.sandbox_boot':
      return { ...state, told: event.id };
    case 'session.error':
      return note?.news ? { ...state, told: event.id } : state;
    default:
      return state;
  }
}

/** In rows that were copied the primary thread has the id it had in the other session. */
function here({ threads }: State, id: string): string {
  return threads.some((thread) => thread.id === id) ? id : (threads[0]?.id ?? id);
}

function withThread(state: State, entry: Entry, at: number | null): State {
  const owner = ownerOf(state, entry);
  return owner === null ? state : inThread(state, owner, (thread) => evolveThread(thread, entry, at));
}

/** What was set aside is free again, or there is more: who waits for it may try. */
function resumed(state: State, entry: Entry): State {
  if (!frees(state, entry) && entry.note?.budget === undefined) return state;
  if (!state.threads.some(({ paused }) => paused)) return state;
  return { ...state, threads: state.threads.map((thread) => ({ ...thread, paused: false })) };
}

function frees({ outcome }: State, { event, note }: Entry): boolean {
  switch (event.type) {
    case 'span.model_request_end':
      return true;
    case 'span.outcome_evaluation_ongoing':
      return note?.span === undefined;
    case 'span.outcome_evaluation_end':
      return outcome !== null && outcome.call !== null;
    default:
      return false;
  }
}

/** The thread an entry changes, or null when it is about the session alone. */
function ownerOf(state: State, { event, note }: Entry): string | null {
  if (event.type.startsWith('session.') && !event.type.startsWith('session.thread_')) return null;
  return note?.thread ?? state.threads[0]?.id ?? null;
}

function inThread(state: State, id: string, change: (thread: ThreadState) => ThreadState): State {
  return {
    ...state,
    threads: state.threads.map((thread) => (thread.id === id ? change(thread) : thread)),
  };
}

function billed(state: State, { note }: Entry): State {
  if (!note?.bill) return state;
  return {
    ...state,
    usage: addUsage(state.usage, note.bill.usage),
    spent: spentWith(state.spent, note.bill),
  };
}

/** A call that reached the web, while it is still open; what failed is not counted. */
function reached(state: State, { event }: Entry): State {
  if (event.type !== 'agent.tool_result' || event.is_error) return state;
  const owner = threadOfCall(state, event.tool_use_id);
  const call = owner?.calls.find(({ id }) => id === event.tool_use_id);
  if (owner === null || call === undefined) return state;
  const counted = inThread(state, owner.id, (thread) => ({
    ...thread,
    usage: addWebUse(thread.usage, call.name),
  }));
  return { ...counted, usage: addWebUse(state.usage, call.name) };
}

function spentWith(spent: Spent, { usage, nanoUsd }: Bill): Spent {
  return {
    nanoUsd: spent.nanoUsd + (nanoUsd ?? 0),
    tokens: spent.tokens + contextTokens(usage),
    modelCalls: spent.modelCalls + 1,
    priced: spent.priced || nanoUsd !== null,
  };
}

function rested(state: State, event: { processed_at: string }): State {
  const since = state.activeSince;
  const worked = since === null ? 0 : Math.max(0, Date.parse(event.processed_at) - since);
  return { ...state, activeSince: null, activeMs: state.activeMs + worked };
}

type Updated = Extract<SessionEvent, { type: 'session.updated' }>;

function updated(state: State, event: Updated, note: Entry['note']): State {
  return {
    ...state,
    ...(event.title === undefined ? {} : { title: event.title }),
    ...(event.metadata === undefined ? {} : { metadata: event.metadata }),
    ...(note?.agentTools ? { agentTools: note.agentTools } : {}),
    ...(note?.emptied ? { metadata: {} } : {}),
    ...(note?.budget === undefined ? {} : { budget: note.budget.value }),
  };
}

/** What was at work when the log was copied worked there, not here. */
const UNTOUCHED = { activeSince: null, activeMs: 0 };

/** The copied log is history: what it used, what its processes still do, and that it has ended, is the other session's. */
function forked(state: State, into: string): State {
  const { title, metadata, budget, ...rest } = state;
  return {
    ...rest,
    status: 'idle',
    archivedAt: null,
    forkedInto: into,
    usage: ZERO_USAGE,
    spent: NOTHING_SPENT,
    ...UNTOUCHED,
    stopping: [],
    told: null,
    threads: state.threads.map((thread) => ({ ...revived(thread), usage: ZERO_USAGE, ...UNTOUCHED })),
  };
}

/** The primary thread has not ended here; that it rests is said next. */
function revived(thread: ThreadState): ThreadState {
  return thread.parentId === null ? { ...thread, archivedAt: null } : thread;
}

function stopping(state: State, event: SessionEvent, threadId: string | undefined): State {
  if (event.type !== 'agent.tool_result') return state;
  const owner = state.threads.find((thread) => thread.id === threadId) ?? state.threads[0];
  const call = owner?.calls.find((open) => open.id === event.tool_use_id);
  if (owner === undefined || call === undefined) return state;
  const stopped = { id: call.id, name: call.name, threadId: owner.id };
  return { ...state, stopping: [...state.stopping, stopped].slice(-MAX_STOPPING) };
}
