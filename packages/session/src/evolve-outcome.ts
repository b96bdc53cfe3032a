// What an event means for the outcome the session works for.
import type { SessionEvent } from '@capstan/schema/events';
import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import type { Entry, Note } from './entry.ts';
import { overflows } from './log-row.ts';
import type { OpenSpan, Outcome, State } from './state.ts';

export const DEFAULT_ITERATIONS = 3;
/** Of earlier evaluations: the newest may take two rows of the log, and a row in the control plane ends at 2 MB. */
const MOST_BYTES = 400_000;

export function evolveOutcome(state: State, { event, note }: Entry): State {
  switch (event.type) {
    case 'user.define_outcome': {
      const { id: eventId, outcome_id: id, description } = event;
      const maxIterations = event.max_iterations ?? DEFAULT_ITERATIONS;
      const outcome: Outcome = {
        id,
        description,
        eventId,
        maxIterations,
        iteration: 0,
        phase: 'working',
        spanId: null,
        call: null,
      };
      const evaluation: OutcomeEvaluation = {
        type: 'outcome_evaluation',
        outcome_id: id,
        description,
        iteration: 0,
        result: 'running',
        explanation: null,
        completed_at: null,
      };
      return { ...state, outcome, evaluations: [...newest(state.evaluations), evaluation] };
    }
    case 'span.outcome_evaluation_start':
      return judged(
        state,
        { phase: 'evaluating', spanId: event.id },
        { result: 'evaluating', iteration: event.iteration },
      );
    case 'span.outcome_evaluation_ongoing':
      return judged(state, { call: callOf(event, note?.span) }, {});
    case 'span.outcome_evaluation_end': {
      const { result, explanation, iteration } = event;
      const told = { result, explanation, iteration, completed_at: event.processed_at };
      const free = { spanId: null, call: null };
      if (result === 'needs_revision') {
        const again = { ...told, completed_at: null };
        return judged(state, { ...free, phase: 'working', iteration: iteration + 1 }, again);
      }
      if (result === 'max_iterations_reached') return judged(state, { ...free, phase: 'last' }, told);
      return { ...judged(state, free, told), outcome: null };
    }
    case 'session.thread_status_idle':
      return state.outcome?.phase === 'last' && note?.thread === undefined && !paused(event)
        ? { ...state, outcome: null }
        : state;
    default:
      return state;
  }
}

type Ongoing = Extract<SessionEvent, { type: 'span.outcome_evaluation_ongoing' }>;

/** The call that begins there; null where one has ended. */
function callOf({ id, processed_at }: Ongoing, span: Note['span']): OpenSpan | null {
  if (span === undefined) return null;
  const { price, reserved, grader = { provider: 'dev', model: '' } } = span;
  return { id, kind: 'grading', ...grader, price, reserved, startedAt: Date.parse(processed_at) };
}

/** Earlier ones, as far as a session's row has room for them beside the newest: the log has them all. */
function newest(evaluations: readonly OutcomeEvaluation[]): readonly OutcomeEvaluation[] {
  let from = 0;
  while (overflows(JSON.stringify(evaluations.slice(from)), MOST_BYTES)) from += 1;
  return evaluations.slice(from);
}

function paused(event: { stop_reason: { type: string } }): boolean {
  return event.stop_reason.type === 'budget_reached' || event.stop_reason.type === 'requires_action';
}

function judged(state: State, outcome: Partial<Outcome>, told: Partial<OutcomeEvaluation>): State {
  if (state.outcome === null) return state;
  const last = state.evaluations.length - 1;
  return {
    ...state,
    outcome: { ...state.outcome, ...outcome },
    evaluations: state.evaluations.map((one, index) => (index === last ? { ...one, ...told } : one)),
  };
}
