// What becomes of a session as a whole: recovered, changed, forked, archived, deleted.
import { requireConsistent } from '@capstan/schema/agent-rules';
import type { AgentTools } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import { ApiError } from '@capstan/schema/error';
import { type Metadata, patchMetadata } from '@capstan/schema/metadata';
import { budgetOf, exhausted } from './budget.ts';
import { conclude } from './conclude.ts';
import { abandonSpan, closeCalls, evolved, fail, idle, report } from './endings.ts';
import { type Entry, made, noted, ownedBy } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { type Context, frame, named } from './frame.ts';
import { abandonGrading, endOutcome } from './outcome.ts';
import type { Draft } from './ports.ts';
import type { SessionChange } from './service.ts';
import type { State, ThreadState } from './state.ts';
import { take } from './taking.ts';
import { agentNow, hasInput, threadById } from './thread.ts';
import { cutMessages } from './turn-commands.ts';
import type { Run } from './workflow/run.ts';
import { closeRun, endRun, overdue } from './workflow/run-end.ts';

/** This runtime was just built: each turn it finds running has lost its process. What was shown of it is kept. */
export function recover(context: Context, drafts: readonly Draft[]): Entry[] {
  const message = 'The process that ran this turn stopped. What it had written is kept.';
  const failure = { error: { type: 'unknown_error' as const, message }, restart: true as const };
  const entries = context.state.threads.filter(isRunning).flatMap((thread) => {
    const name = thread.parentId === null ? null : thread.id;
    const own = drafts.filter((draft) => draft.thread === name);
    const kept = thread.openSpan === null ? [] : own.map(({ eventId: id, text }) => ({ id, text }));
    const said = cutMessages(context, thread, kept);
    return [...said, ...fail(context, thread, failure)];
  });
  return conclude(context, entries);
}

/** Retries that are due, and workflow runs whose time is over. */
export function tick(context: Context): Entry[] {
  const { state, stamp } = context;
  const due = state.threads.filter(({ retryAt }) => retryAt !== null && retryAt <= stamp.now);
  const begun = due.flatMap((thread) =>
    ownedBy(thread, [made(stamp, 'session.thread_status_running', named(thread))], true),
  );
  return conclude(context, [...begun, ...overdue(evolved(context, begun))]);
}

export function update(context: Context, change: SessionChange): Entry[] {
  const { state, spec, stamp } = context;
  if (state.status === 'terminated') {
    throw new ApiError('conflict', 'The session is over: it can be changed no more.');
  }
  const title =
    change.title === undefined || change.title === titleOf(context) ? {} : { title: change.title };
  const before = metadataOf(context);
  const after = change.metadata === undefined ? before : patchMetadata(before, change.metadata);
  const tagged = !same(before, after);
  const emptied = tagged && Object.keys(after).length === 0;
  const metadata = tagged && !emptied ? { metadata: after } : {};
  const limits = budgetOf(state, spec);
  const budget = change.budget === undefined || same(limits, change.budget) ? {} : { budget: change.budget };
  if (budget.budget) refuseSpent(state, budget.budget);
  const agentTools = change.agent === undefined ? null : refitted(context, change.agent);
  const agent = agentTools === null ? {} : { agent: { ...agentNow(context), ...agentTools } };
  const body = { ...agent, ...title, ...metadata, ...budget };
  const note = {
    ...(agentTools === null ? {} : { agentTools }),
    ...(budget.budget === undefined ? {} : { budget: { value: budget.budget } }),
    ...(emptied ? { emptied: true as const } : {}),
  };
  if (Object.keys({ ...body, ...note }).length === 0) return [];
  return conclude(context, [noted(made(stamp, 'session.updated', body), note)]);
}

export function titleOf({ state, spec }: Pick<Context, 'state' | 'spec'>): string | null {
  return state.title === undefined ? spec.title : state.title;
}

export function metadataOf({ state, spec }: Pick<Context, 'state' | 'spec'>): Metadata {
  return state.metadata ?? spec.metadata;
}

/** What the agent works with after the change; null: what it works with already. */
function refitted(context: Context, change: Partial<AgentTools>): AgentTools | null {
  const { status } = context.state;
  refuseOpenRun(context.state, (run) => `agent: it works in the workflow run ${run}`);
  if (status !== 'idle') {
    const how = 'wait until it is idle, or send a user.interrupt first';
    throw new ApiError('invalid_request', `agent: the session is ${status}; ${how}`);
  }
  const now = agentNow(context);
  const { tools, mcp_servers, skills } = { ...now, ...change };
  requireConsistent({ tools, mcp_servers, skills }, 'agent.');
  const next = { tools, mcp_servers };
  return same(next, { tools: now.tools, mcp_servers: now.mcp_servers }) ? null : next;
}

/** Refuses what cannot be done before the workflow runs there are have ended; of `runId`, that one. */
function refuseOpenRun({ runs }: State, why: (run: string) => string, runId?: string): void {
  const run = runs.find(({ id }) => runId === undefined || id === runId);
  if (run === undefined) return;
  const how = 'wait until it has ended, or send a user.interrupt first';
  throw new ApiError('invalid_request', `${why(run.id)}; ${how}`, { reason: 'workflow_run_open' });
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function refuseSpent(state: State, budget: Budget): void {
  if (!exhausted(state, budget)) return;
  throw new ApiError('invalid_request', 'budget: must exceed what the session has used already', {
    reason: 'budget_not_raised',
  });
}

/** Ends the copy of another session's log: what was under way there is not under way here. Half a copy is no session. */
export function fork(context: Context, whole: boolean): Entry[] {
  const entries = takenOver(context);
  return whole ? entries : [...entries, ...abandoned(evolved(context, entries))];
}

function abandoned({ state, stamp }: Context): Entry[] {
  const message = 'The session that this one was to be a fork of is gone: its log could not be copied whole.';
  const error = { type: 'unknown_error' as const, message, retry_status: { type: 'terminal' as const } };
  const living = state.threads.filter(({ status }) => status !== 'terminated');
  return [
    made(stamp, 'session.error', { error }),
    ...living.flatMap((thread) =>
      ownedBy(thread, [made(stamp, 'session.thread_status_terminated', named(thread))], true),
    ),
    made(stamp, 'session.status_terminated', {}),
  ];
}

function takenOver(context: Context): Entry[] {
  const { state, spec, stamp } = context;
  const begun = noted(made(stamp, 'session.updated', {}), { fork: { into: spec.sessionId } });
  const explanation = 'The session was forked while this was worked for.';
  // Runs went on there: here their agent reads how far they had come.
  const ended = state.runs.flatMap((run) => forkedRun(context, run));
  const rests = evolveAll(state, ended).threads.flatMap((thread) => {
    // The primary thread has not ended here: the session begins with it.
    if (thread.status === 'terminated' && thread.parentId !== null) return [];
    return [
      ...abandonSpan(thread, { isError: null, took: 'unasked' }, stamp),
      ...closeCalls(
        thread,
        { text: 'Not run: the session was forked before this call had a result.' },
        stamp,
      ),
      ...take(thread, thread.queue, stamp),
      ...idle(thread, { reason: { type: 'end_turn' } }, stamp),
    ];
  });
  // What was asked there is paid for there.
  const unasked = evolveAll(state, abandonGrading(state, 'unasked', stamp));
  const outcome = endOutcome(unasked, { result: 'interrupted', explanation }, stamp);
  return frame(context, [begun, ...outcome, ...ended, ...rests]);
}

function forkedRun(context: Context, run: Run): Entry[] {
  const text = 'Not run: the session was forked before this call had a result.';
  return endRun(context, run, { result: { type: 'stopped' }, reports: true, text, took: 'unasked' });
}

export function archive({ state, stamp }: Context): Entry[] {
  if (state.archivedAt !== null) return [];
  refuseWhileWorking(state);
  const terminated = made(stamp, 'session.status_terminated', {});
  const explanation = 'The session was archived.';
  return [
    ...endOutcome(state, { result: 'interrupted', explanation }, stamp),
    ...state.runs.flatMap((run) => closeRun({ stamp }, run, { result: { type: 'stopped' }, reports: false })),
    ...state.threads
      .filter(({ status }) => status !== 'terminated')
      .flatMap((thread) => endThread(thread, { text: 'Not run: the session was archived.', stamp })),
    noted(terminated, { archived: true }),
  ];
}

/** Its place is free again. What it asks is closed; its parent is told when it still had something to answer. */
export function archiveThread(context: Context, threadId: string): Entry[] {
  const { state, stamp } = context;
  const thread = threadById(state, threadId);
  if (thread === null) throw new ApiError('not_found', `No thread ${threadId} in this session`);
  if (thread.parentId === null) {
    const how = 'archive the session itself';
    throw new ApiError('invalid_request', `The primary thread ends with its session: ${how}.`);
  }
  if (thread.archivedAt !== null) return [];
  refuseOpenRun(state, (run) => `The thread works in the workflow run ${run}`, thread.step?.runId ?? '');
  if (thread.status !== 'idle' && thread.status !== 'terminated') {
    const how = 'wait until it is idle, or send a user.interrupt for it first';
    throw new ApiError('invalid_request', `The thread is ${thread.status}: ${how}.`);
  }
  const owes = thread.calls.length > 0 || hasInput(thread);
  const told = owes ? report(thread, 'This thread was archived before it had an answer.', stamp) : [];
  return conclude(context, [
    ...told,
    ...endThread(thread, { text: 'Not run: the thread was archived.', stamp }),
  ]);
}

function endThread(thread: ThreadState, { text, stamp }: { text: string; stamp: Context['stamp'] }): Entry[] {
  const over = noted(made(stamp, 'session.thread_status_terminated', named(thread)), {
    archived: true,
    ...(thread.status === 'terminated' ? { again: true } : {}),
  });
  const closed = [...closeCalls(thread, { text }, stamp), ...take(thread, thread.queue, stamp)];
  return [...closed, ...ownedBy(thread, [over], true)];
}

export function remove({ state, stamp }: Context): Entry[] {
  refuseWhileWorking(state);
  return [made(stamp, 'session.deleted', {})];
}

function refuseWhileWorking({ status }: State): void {
  if (status !== 'running' && status !== 'rescheduling') return;
  throw new ApiError(
    'invalid_request',
    `The session is ${status}: wait until it is idle, or send a user.interrupt first.`,
  );
}

function isRunning({ status }: ThreadState): boolean {
  return status === 'running';
}
