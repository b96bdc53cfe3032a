// The tasks of a phase: each is one thread. Read off the plan and the results of the phases before, the same each time.
import { MAX_RUN_THREADS, PLACEHOLDER } from '@capstan/schema/workflow-plans';
import { type PlannedStep, type Run, resultKey, type StepResult } from './run.ts';

export interface Task {
  step: PlannedStep;
  index: number;
  /** What of the step's list it is for. */
  item: string | null;
}

/** Why a plan cannot be followed further. `message` is for everybody: it has nothing of the plan or its agents in it. */
export interface PlanProblem {
  type: 'program_error' | 'thread_limit_error';
  message: string;
}

/** What a message may be long, in characters, once its results are in it. */
export const MAX_MESSAGE_CHARS = 100_000;
/** Of all results of a phase that are kept, and of one. */
const PHASE_CHARS = 200_000;
export const MAX_RESULT_CHARS = 16_000;
const SHORTEST_RESULT = 200;

/** Null: a list that a step is for is none. */
export function tasksOf({ plan, results }: Run, phase: number): Task[] | null {
  const tasks: Task[] = [];
  for (const step of plan.phases[phase]?.steps ?? []) {
    const items = itemsOf(step, results);
    if (items === null) return null;
    for (const [index, item] of items.entries()) tasks.push({ step, index, item });
  }
  return tasks;
}

/** The tasks of a phase that can be begun, or what is wrong with it. */
export function begins(run: Run, phase: number): Task[] | PlanProblem {
  const tasks = tasksOf(run, phase);
  const place = `in phase ${phase + 1}`;
  if (tasks === null) {
    const message = `A step ${place} is for each item of a result that is no JSON list of strings.`;
    return { type: 'program_error', message };
  }
  if (run.threads + tasks.length > MAX_RUN_THREADS) {
    const message = `The run would create more than ${MAX_RUN_THREADS} threads ${place}.`;
    return { type: 'thread_limit_error', message };
  }
  if (tasks.some((task) => messageOf(run, task).length > MAX_MESSAGE_CHARS)) {
    const message = `A message ${place} has more than ${MAX_MESSAGE_CHARS} characters with the results in it.`;
    return { type: 'program_error', message };
  }
  return tasks;
}

/** Results are put in once: what looks like a placeholder in one stays as it is. */
export function messageOf(run: Run, { step, item }: Task): string {
  return step.message.replace(PLACEHOLDER, (_all, id?: string) =>
    id === undefined ? (item ?? '') : resultText(run, id),
  );
}

/** What a step came to; each of its threads by its item, where it has several. */
function resultText(run: Run, stepId: string): string {
  const step = stepOf(run, stepId);
  const items = step === null ? null : itemsOf(step, run.results);
  if (step === null || items === null) return '';
  return items
    .map((item, index) => {
      const text = wordsOf(run.results[resultKey({ stepId, index })]);
      return item === null ? text : `[${item}]\n${text}`;
    })
    .join('\n\n');
}

function wordsOf(result: StepResult | undefined): string {
  if (result === undefined) return '(no result)';
  return result.failed ? `(This step has failed: ${result.text})` : result.text;
}

export function stepOf({ plan }: Pick<Run, 'plan'>, stepId: string): PlannedStep | null {
  for (const { steps } of plan.phases) {
    const found = steps.find(({ id }) => id === stepId);
    if (found) return found;
  }
  return null;
}

function itemsOf({ items }: PlannedStep, results: Run['results']): readonly (string | null)[] | null {
  if (items === null) return [null];
  if (!('of' in items)) return items;
  const list = results[resultKey({ stepId: items.of, index: 0 })];
  return list === undefined || list.failed ? null : listIn(list.text);
}

const FENCED = /^```(?:json)?\s*\n([\s\S]*?)\n?```$/;

/** A JSON list of strings, also in a fence, as models write it; null: it is none. */
export function listIn(text: string): string[] | null {
  const trimmed = text.trim();
  const [, inside = trimmed] = FENCED.exec(trimmed) ?? [];
  try {
    const list: unknown = JSON.parse(inside);
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : null;
  } catch {
    return null;
  }
}

/** A result as it is kept: where a phase has many threads, each has less room. */
export function kept(run: Run, result: StepResult): StepResult {
  const threads = tasksOf(run, run.phase)?.length ?? 1;
  const room = Math.max(SHORTEST_RESULT, Math.min(MAX_RESULT_CHARS, Math.floor(PHASE_CHARS / threads)));
  return { ...result, text: shortened(result.text, room) };
}

export function shortened(text: string, chars: number): string {
  if (text.length <= chars) return text;
  // Half a character is none.
  const head = text.slice(0, chars).replace(/[\uD800-\uDBFF]$/, '');
  return `${head}\n[cut: ${text.length} characters in all]`;
}
