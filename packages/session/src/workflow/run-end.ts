// How a workflow run ends on the log: its threads stopped, its phase closed, its error told, and its end last.
import { abandonSpan, closeCalls } from '../endings.ts';
import { type Entry, made, noted, ownedBy, type Stamp } from '../entry.ts';
import { type Context, named } from '../frame.ts';
import type { ThreadState } from '../state.ts';
import { take } from '../taking.ts';
import { RUN_MS, type Run, type RunResult } from './run.ts';

export interface RunEnding {
  result: RunResult;
  /** The agent that began it is told in a message: it did not end it itself. */
  reports: boolean;
}

/** Its events alone: what its threads do is somebody else's affair. */
export function closeRun(
  { stamp }: Pick<Context, 'stamp'>,
  run: Run,
  { result, reports }: RunEnding,
): Entry[] {
  const of = { workflow_run_id: run.id };
  const ended = made(stamp, 'workflow_run.status_ended', { ...of, result });
  return [
    ...endPhase({ stamp }, run),
    ...(result.type === 'error' ? [made(stamp, 'workflow_run.error', { ...of, error: result.error })] : []),
    reports ? noted(ended, { reports }) : ended,
  ];
}

export function endPhase({ stamp }: Pick<Context, 'stamp'>, run: Run): Entry[] {
  if (run.startedId === null) return [];
  const body = {
    workflow_run_id: run.id,
    workflow_run_phase_id: run.phaseIds[run.phase] ?? '',
    phase_started_id: run.startedId,
  };
  return [made(stamp, 'workflow_run.phase_ended', body)];
}

/** With its threads, whose calls are told `text`. */
export function endRun(context: Context, run: Run, ending: RunEnding & Stopping): Entry[] {
  const { state, stamp } = context;
  const living = state.threads.filter(
    ({ step, status }) => step?.runId === run.id && status !== 'terminated',
  );
  return [
    ...living.flatMap((thread) => stopThread(thread, ending, stamp)),
    ...closeRun(context, run, ending),
  ];
}

interface Stopping {
  /** What open calls are told. */
  text: string;
  /** What model calls under way took: nothing here where the log was copied. */
  took?: 'untold' | 'unasked';
}

function stopThread(thread: ThreadState, { text, took = 'untold' }: Stopping, stamp: Stamp): Entry[] {
  return [
    ...abandonSpan(thread, { isError: null, took }, stamp),
    ...closeCalls(thread, { text, cancel: took === 'untold' }, stamp),
    ...take(thread, thread.queue, stamp),
    ...ownedBy(thread, [made(stamp, 'session.thread_status_terminated', named(thread))], true),
  ];
}

/** Every run, as somebody other than its agent stops them; what comes of that is read when the agent goes on. */
export function stopRuns(context: Context, text: string): Entry[] {
  const ending = { result: { type: 'stopped' as const }, reports: true, text };
  return context.state.runs.flatMap((run) => endRun(context, run, ending));
}

/** Runs that have come to their time. */
export function overdue(context: Context): Entry[] {
  const message = `The run reached its time limit of ${RUN_MS / 3_600_000} hours.`;
  const result = { type: 'error' as const, error: { type: 'timeout_error' as const, message } };
  const due = context.state.runs.filter(({ createdAt }) => createdAt + RUN_MS <= context.stamp.now);
  return due.flatMap((run) =>
    endRun(context, run, {
      result,
      reports: true,
      text: 'Stopped: the workflow run reached its time limit.',
    }),
  );
}

/** When the next of them comes to it, epoch ms. */
export function nextOverdue({ runs }: Pick<Context['state'], 'runs'>): number | null {
  return runs.length === 0 ? null : Math.min(...runs.map(({ createdAt }) => createdAt + RUN_MS));
}
