// What an event means for the workflow runs of a session.
import type { Entry } from '../entry.ts';
import type { Input, State } from '../state.ts';
import { reportOf } from './report.ts';
import { type Run, resultKey, type StepOwner, type StepPlace, type StepResult } from './run.ts';
import { kept, stepOf } from './tasks.ts';

const UNDONE: StepResult = { text: 'It was stopped before it had a result.', failed: true };

export function evolveRuns(state: State, { event, note }: Entry): State {
  switch (event.type) {
    case 'workflow_run.created': {
      const { workflow_run_id: id, name, phases } = event;
      const run: Run = {
        id,
        name,
        phaseIds: phases.map((phase) => phase.id),
        plan: note?.plan ?? { phases: [] },
        status: null,
        phase: -1,
        startedId: null,
        begun: 0,
        threads: 0,
        results: {},
        createdAt: Date.parse(event.processed_at),
      };
      return { ...state, runs: [...state.runs, run] };
    }
    case 'workflow_run.status_running':
      return inRun(state, event.workflow_run_id, (run) => ({ ...run, status: 'running' }));
    case 'workflow_run.status_idle':
      return inRun(state, event.workflow_run_id, (run) => ({ ...run, status: 'idle' }));
    case 'workflow_run.phase_started':
      return inRun(state, event.workflow_run_id, (run) => ({
        ...run,
        phase: run.phaseIds.indexOf(event.workflow_run_phase_id),
        startedId: event.id,
        begun: 0,
      }));
    case 'workflow_run.phase_ended':
      return inRun(state, event.workflow_run_id, (run) => ({ ...run, startedId: null }));
    case 'workflow_run.status_ended': {
      const run = runById(state, event.workflow_run_id);
      if (run === null) return state;
      const runs = state.runs.filter(({ id }) => id !== run.id);
      return note?.reports
        ? reported({ ...state, runs }, { id: event.id, run: run.id, text: reportOf(run, event.result) })
        : { ...state, runs };
    }
    case 'session.thread_created': {
      const created = note?.created;
      if (created === undefined || !('step' in created)) return state;
      const { step } = created;
      return inRun(state, step.runId, (run) => ({ ...run, begun: run.begun + 1, threads: run.threads + 1 }));
    }
    case 'session.thread_status_terminated': {
      const step = state.threads.find(({ id }) => id === event.session_thread_id)?.step;
      if (step === undefined) return state;
      return inRun(state, step.runId, (run) => {
        const key = resultKey(step);
        if (key in run.results) return run;
        return { ...run, results: { ...run.results, [key]: kept(run, note?.result ?? UNDONE) } };
      });
    }
    case 'session.status_terminated':
    case 'session.deleted':
      return { ...state, runs: [] };
    default:
      return state;
  }
}

/** Who does a step of a run; nothing is known of one that there is not. */
export function ownerIn({ runs }: Pick<State, 'runs'>, { runId, stepId }: StepPlace): Partial<StepOwner> {
  const run = runById({ runs }, runId);
  return (run && stepOf(run, stepId)?.owner) ?? {};
}

export function runById({ runs }: Pick<State, 'runs'>, id: string): Run | null {
  return runs.find((run) => run.id === id) ?? null;
}

function inRun(state: State, id: string, change: (run: Run) => Run): State {
  if (runById(state, id) === null) return state;
  return { ...state, runs: state.runs.map((run) => (run.id === id ? change(run) : run)) };
}

/** The session's agent has it to read: a message of its own background work, so to speak. */
function reported(state: State, { id, run, text }: { id: string; run: string; text: string }): State {
  const [primary, ...children] = state.threads;
  if (primary === undefined) return state;
  const content = [{ type: 'text' as const, text }];
  const input: Input = { kind: 'message', id, from: primary.id, fromName: null, content, run };
  const next = { ...primary, queue: [...primary.queue, input] };
  return { ...state, relayed: state.relayed + 1, threads: [next, ...children] };
}
