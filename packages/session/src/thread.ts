// Reading threads: which there are, what each has to do next, and what the session is because of them.
import type { AgentSnapshot, ThreadAgent } from '@capstan/schema/agents';
import { ADVISOR_NAME } from '@capstan/schema/multiagent';
import { advisorOf, rosterOf, workflowRosterOf } from '@capstan/schema/roster';
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

/** What a session is: as it was created, and as its log has it. */
export interface Known {
  spec: SessionSpec;
  state: Pick<State, 'agentTools'>;
}

/** The session's agent as it is now, with all that it may call. */
export function agentNow({ spec, state }: Known): AgentSnapshot {
  return state.agentTools === undefined ? spec.agent : { ...spec.agent, ...state.agentTools };
}

/** Whose thread it is. */
export type Owned = Pick<ThreadState, 'member' | 'inline' | 'advises' | 'step'>;

/** One object for all threads of a member: however many there are, a reply over RPC (32 MiB) carries it once. */
export function agentOf(known: Known, { member, inline, advises, step }: Owned): ThreadAgent {
  const { multiagent, ...own } = agentNow(known);
  if (advises) return toAdvisor(own, advisorOf(multiagent));
  if (inline) return { ...own, ...inline };
  const roster = step === undefined ? rosterOf(multiagent) : workflowRosterOf(multiagent);
  return (member === null ? null : roster[member]) ?? own;
}

/** It works with nothing but what it is asked. */
function toAdvisor({ execution_identity, ...own }: ThreadAgent, model: string | null): ThreadAgent {
  const { id, type, version } = own;
  return {
    id,
    type,
    version,
    name: ADVISOR_NAME,
    description: null,
    model: model === null ? own.model : { id: model },
    system: ADVICE,
    tools: [],
    mcp_servers: [],
    skills: [],
    execution_identity,
  };
}

const ADVICE =
  'You advise an agent in the middle of its work. It tells you what it works on and asks one thing. Answer that in plain ' +
  'words: what you would do and why, what could go wrong, and what you would check first. You see nothing of its ' +
  'conversation but what it tells you, and you have no tools.';

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

/** Child threads that have not ended. */
export function livingChildren(state: State): ThreadState[] {
  return state.threads.filter((thread) => thread.parentId !== null && thread.status !== 'terminated');
}

/** Those of them that can be written to, and take up one of the places there are: others end by themselves. */
export function livingWorkers(state: State): ThreadState[] {
  return livingChildren(state).filter((thread) => !endsByItself(thread));
}

/** A consultation is over with its answer, a step of a workflow run with its result. */
export function endsByItself({ advises, step }: ThreadState): boolean {
  return advises === true || step !== undefined;
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
