// Reading threads: which there are, what each has to do next, and what the session is because of them.
import type { ThreadAgent } from '@capstan/schema/agents';
import type { SessionStatus } from '@capstan/schema/sessions';
import type { SessionUsage } from '@capstan/schema/usage';
import type { SessionSpec } from './spec.ts';
import type { OpenCall, State, ThreadState } from './state.ts';

export function primaryOf(state: State): ThreadState {
  const [primary] = state.threads;
  if (primary === undefined) throw new Error('a session has a primary thread');
  return primary;
}

export function threadById(state: State, id: string): ThreadState | null {
  return state.threads.find((thread) => thread.id === id) ?? null;
}

/** The thread as it is in another state of its session. */
export function again(state: State, { id }: ThreadState): ThreadState {
  return threadById(state, id) ?? primaryOf(state);
}

export function threadOfCall(state: State, callId: string): ThreadState | null {
  return state.threads.find((thread) => thread.calls.some((call) => call.id === callId)) ?? null;
}

/** One object for all threads of a member: however many there are, a reply over RPC (32 MiB) carries it once. */
export function agentOf(spec: SessionSpec, { member }: Pick<ThreadState, 'member'>): ThreadAgent {
  const { multiagent, ...own } = spec.agent;
  return (member === null ? null : multiagent?.agents[member]) ?? own;
}

/** Calls the engine itself has to bring to a result. */
export function performable(thread: ThreadState): OpenCall[] {
  return thread.calls.filter((call) => call.waitsFor === 'nobody');
}

/** Calls that only a client's answer brings further. */
export function blocking(thread: ThreadState): OpenCall[] {
  return thread.calls.filter((call) => call.waitsFor !== 'nobody');
}

export function blockingIds(state: State): string[] {
  return state.threads.flatMap((thread) => blocking(thread).map((call) => call.id));
}

/** Something to reply to. */
export function hasInput(thread: ThreadState): boolean {
  return thread.unanswered || thread.unseen || thread.queue.length > 0;
}

export type Step = { kind: 'tools'; calls: OpenCall[] } | { kind: 'model' | 'grade' | 'none' };

/** What the turn in progress of a thread has to do next. */
export function nextStep(state: State, thread: ThreadState): Step {
  if (thread.status !== 'running') return { kind: 'none' };
  const calls = performable(thread);
  if (calls.length > 0) return { kind: 'tools', calls };
  if (blocking(thread).length > 0) return { kind: 'none' };
  if (hasInput(thread)) return { kind: 'model' };
  const judged = thread.parentId === null && state.outcome?.phase === 'evaluating';
  return { kind: judged ? 'grade' : 'none' };
}

/** What a session is by its threads: it runs while any of them does. */
export function statusOf(state: State): SessionStatus {
  if (primaryOf(state).status === 'terminated') return 'terminated';
  const has = (status: SessionStatus) => state.threads.some((thread) => thread.status === status);
  if (has('running')) return 'running';
  return has('rescheduling') ? 'rescheduling' : 'idle';
}

/** Child threads that take up one of the places there are. */
export function livingChildren(state: State): ThreadState[] {
  return state.threads.filter((thread) => thread.parentId !== null && thread.status !== 'terminated');
}

interface Active {
  activeSince: number | null;
  activeMs: number;
}

export function activeSecondsAt({ activeSince, activeMs }: Active, now: number): number {
  const running = activeSince === null ? 0 : Math.max(0, now - activeSince);
  return (activeMs + running) / 1000;
}

export function usageAt(of: Active & { usage: SessionUsage }, now: number): SessionUsage {
  return { ...of.usage, active_seconds: activeSecondsAt(of, now) };
}
