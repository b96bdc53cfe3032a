// What is said of a run to the agent that began it: where it stands, and what its steps came to.
import type { State } from '../state.ts';
import { blocking } from '../thread.ts';
import { type Run, type RunResult, resultKey } from './run.ts';
import { shortened, tasksOf } from './tasks.ts';

/** Of all results together, in characters, and of each at least. */
const MOST_CHARS = 60_000;
const FEWEST_CHARS = 100;

/** How a run has ended, and what its steps came to. */
export function reportOf(run: Run, result: RunResult): string {
  const how = {
    completed: 'completed',
    stopped: 'stopped',
    error: result.type === 'error' ? `it failed. ${result.error.message}` : '',
  };
  const results = resultsOf(run);
  return [`The workflow run "${run.name}" (${run.id}) has ended: ${how[result.type]}`, ...results].join(
    '\n\n',
  );
}

function resultsOf(run: Run): string[] {
  const room = Math.max(FEWEST_CHARS, Math.floor(MOST_CHARS / Math.max(1, run.threads)));
  return run.plan.phases.flatMap((_, phase) => {
    const tasks = phase > run.phase ? [] : (tasksOf(run, phase) ?? []);
    return tasks.map(({ step: { id: stepId }, index, item }) => {
      const result = run.results[resultKey({ stepId, index })];
      const title = item === null ? stepId : `${stepId} [${shortened(item, FEWEST_CHARS)}]`;
      if (result === undefined) return `## ${title} (not done)`;
      return `## ${title}${result.failed ? ' (failed)' : ''}\n${shortened(result.text, room)}`;
    });
  });
}

/** Where a run stands. */
export function standingOf(state: State, run: Run): string {
  const { plan, phase, begun, status } = run;
  const of = `phase ${phase + 1} of ${plan.phases.length} ("${plan.phases[phase]?.name ?? ''}")`;
  const tasks = tasksOf(run, phase) ?? [];
  const done = tasks.filter(({ step, index }) => resultKey({ stepId: step.id, index }) in run.results).length;
  const waits = state.threads.filter(
    (thread) => thread.step?.runId === run.id && blocking(thread).length > 0,
  );
  const asks = waits.length === 0 ? '' : `, ${waits.length} of them waiting for an answer of the user`;
  return (
    `"${run.name}" (${run.id}) is ${status ?? 'about to begin'}: ${of}; of its ${tasks.length} threads ${done} are done, ` +
    `${begun - done} at work${asks}, ${tasks.length - begun} to come.`
  );
}
