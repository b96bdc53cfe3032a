// How workflow runs go on: read off the state after every command, and appended with it. So nothing of a run is begun twice
// or forgotten, whatever dies between two appends (M3).
//
// W1. A thread is created for a task once: tasks begin in the order of their phase, and the state counts them.
// W2. A phase begins when the one before has ended, and ends when each of its threads has.
// W3. A run says that it runs while one of its threads does, else that it is idle; its end is the last of its events.
import { type Entry, made, noted, ownedBy } from '../entry.ts';
import { evolveAll } from '../evolve.ts';
import { type Context, named } from '../frame.ts';
import { newThread, type State } from '../state.ts';
import { primaryOf } from '../thread.ts';
import { runById } from './evolve-run.ts';
import { MAX_AT_ONCE, type Run, resultKey } from './run.ts';
import { endPhase, endRun } from './run-end.ts';
import { begins, messageOf, type PlanProblem, type Task, tasksOf } from './tasks.ts';

/** What is due of all runs. */
export function advance({ state, spec, stamp }: Context): Entry[] {
  const entries: Entry[] = [];
  let now = state;
  for (const { id } of state.runs) {
    for (;;) {
      const run = runById(now, id);
      const more = run === null ? [] : following({ state: now, spec, stamp }, run);
      if (more.length === 0) break;
      entries.push(...more);
      now = evolveAll(now, more);
    }
  }
  return entries;
}

/** The next of a run; nothing when it waits for its threads. */
function following(context: Context, run: Run): Entry[] {
  const { stamp } = context;
  if (run.startedId === null) return enter(context, run);
  const tasks = tasksOf(run, run.phase) ?? [];
  if (tasks.every(({ step, index }) => resultKey({ stepId: step.id, index }) in run.results)) {
    return endPhase({ stamp }, run);
  }
  const room = Math.max(0, MAX_AT_ONCE - atWork(context.state));
  return tasks.slice(run.begun, run.begun + room).flatMap((task) => beginTask(context, run, task));
}

function atWork({ threads }: State): number {
  return threads.filter(({ step, status }) => step !== undefined && status !== 'terminated').length;
}

/** The phase after the last one, or the end. */
function enter(context: Context, run: Run): Entry[] {
  const phase = run.phase + 1;
  const id = run.phaseIds[phase];
  const text = 'Stopped: the workflow run has ended.';
  if (id === undefined) {
    return endRun(context, run, { result: { type: 'completed' }, reports: true, text });
  }
  const tasks = begins(run, phase);
  if (!Array.isArray(tasks)) return fail(context, run, tasks);
  const body = { workflow_run_id: run.id, workflow_run_phase_id: id };
  return [made(context.stamp, 'workflow_run.phase_started', body)];
}

function fail(context: Context, run: Run, error: PlanProblem): Entry[] {
  const text = 'Stopped: the workflow run has failed.';
  return endRun(context, run, { result: { type: 'error', error }, reports: true, text });
}

function beginTask({ state, stamp }: Context, run: Run, task: Task): Entry[] {
  const { id: stepId, name, owner } = task.step;
  const step = { runId: run.id, stepId, index: task.index };
  const { id: parentId } = primaryOf(state);
  const id = stamp.newId('thread');
  const thread = newThread({ id, name, member: null, ...owner, step, parentId, createdAt: stamp.now });
  const created = made(stamp, 'session.thread_created', { ...named(thread), workflow_run_id: run.id });
  const asked = made(stamp, 'agent.thread_message_received', {
    from_session_thread_id: parentId,
    from_agent_name: null,
    content: [{ type: 'text', text: messageOf(run, task) }],
  });
  return [
    ...ownedBy(thread, [noted(created, { created: { parentId, step } })], true),
    ...ownedBy(thread, [asked]),
  ];
}

/** What runs say of themselves after `entries`, and where: one that is new before anything else of it. */
export function withStandings({ state, stamp }: Context, entries: readonly Entry[]): Entry[] {
  const after = evolveAll(state, entries);
  const first = state.runs.flatMap(({ id, status }) => {
    const run = runById(after, id);
    return status === null ? [told(id, run === null ? 'running' : standing(after, run), stamp)] : [];
  });
  const changed = after.runs.flatMap((run) => {
    const before = runById(state, run.id)?.status ?? null;
    const now = standing(after, run);
    return before === null || before === now ? [] : [told(run.id, now, stamp)];
  });
  return [...first, ...entries, ...changed];
}

function standing({ threads }: State, { id }: Run): 'running' | 'idle' {
  const works = threads.some(
    ({ step, status }) => step?.runId === id && (status === 'running' || status === 'rescheduling'),
  );
  return works ? 'running' : 'idle';
}

function told(id: string, standing: 'running' | 'idle', stamp: Context['stamp']): Entry {
  return made(stamp, `workflow_run.status_${standing}`, { workflow_run_id: id });
}
