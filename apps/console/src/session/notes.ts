// One line for events that are neither messages nor tools; null for those a reader need not see.
import type { EventOf, SessionEvent } from '@capstan/schema/events';

const SILENT: ReadonlySet<string> = new Set([
  'session.status_running',
  'session.status_rescheduled',
  'session.usage',
  'session.thread_status_running',
  'session.thread_status_idle',
  'session.thread_status_rescheduled',
  'session.thread_status_terminated',
  'span.model_request_start',
  'span.model_request_end',
  'span.outcome_evaluation_ongoing',
  'workflow_run.status_running',
  'workflow_run.status_idle',
  'workflow_run.phase_started',
  'workflow_run.phase_ended',
  'user.tool_confirmation',
]);

const FIXED: { [type in SessionEvent['type']]?: string } = {
  'user.interrupt': 'You stopped the agent',
  'session.status_terminated': 'The session has ended',
  'session.deleted': 'The session was deleted',
  'session.updated': 'The session was changed',
  'agent.thread_context_compacted': 'Earlier context was summarised to make room',
  'agent.tool_result': 'A tool answered a call further up',
  'agent.mcp_tool_result': 'A tool answered a call further up',
  'user.custom_tool_result': 'A custom tool answered a call further up',
  'user.tool_result': 'A tool answered a call further up',
};

/** An event this version does not know is shown by its name rather than hidden. */
export function describe(event: SessionEvent): string | null {
  if (SILENT.has(event.type)) return null;
  switch (event.type) {
    case 'session.status_idle':
      return describeStop(event);
    case 'system.message':
      return `System: ${event.content.map((block) => block.text).join(' ')}`;
    case 'user.define_outcome':
      return `Outcome defined: ${event.description}`;
    case 'span.outcome_evaluation_start':
      return 'Checking the outcome';
    case 'span.outcome_evaluation_end':
      return `Outcome ${event.result.replaceAll('_', ' ')}: ${event.explanation}`;
    case 'session.thread_created':
      return `${event.agent_name} joined`;
    case 'workflow_run.created':
      return `Workflow run "${event.name}" began`;
    case 'workflow_run.error':
      return `Workflow run: ${event.error.message}`;
    case 'workflow_run.status_ended':
      return `Workflow run ${event.result.type === 'error' ? 'failed' : event.result.type}`;
    case 'session.sandbox_replaced':
      return describeReplacement(event);
    case 'span.sandbox_boot':
      return describeBoot(event);
    case 'agent.thread_message_sent':
      return `Message sent to ${event.to_agent_name ?? 'another agent'}`;
    case 'agent.thread_message_received':
      return `Message received from ${event.from_agent_name ?? 'another agent'}`;
    default:
      return FIXED[event.type] ?? event.type;
  }
}

function describeReplacement({ restored, lost }: EventOf<'session.sandbox_replaced'>): string {
  const from = restored === null ? '' : ` from its snapshot of ${restored.snapshot_taken_at}`;
  const files = {
    none: 'all files are there',
    since_snapshot: 'later changes to files are gone',
    all: 'its files are gone',
  };
  const processes = lost.processes ? ', and what was running has ended' : '';
  return `The sandbox was replaced${from}: ${files[lost.files]}${processes}`;
}

function describeBoot({ sandbox, duration_ms, phases }: EventOf<'span.sandbox_boot'>): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  const steps = phases.map(({ name, duration_ms: ms }) => `${name} ${seconds(ms)}`).join(', ');
  const how = sandbox === 'warm' ? 'taken from the warm pool' : sandbox;
  return `Sandbox ${how} in ${seconds(duration_ms)} (${steps})`;
}

function describeStop(event: EventOf<'session.status_idle'>): string | null {
  switch (event.stop_reason.type) {
    case 'end_turn':
    case 'requires_action':
    // The error before it says so.
    case 'retries_exhausted':
      return null;
    case 'budget_reached':
      return 'The budget is used up: the session is paused';
    case 'refusal':
      return `The model declined to answer${event.stop_details?.explanation ? `: ${event.stop_details.explanation}` : ''}`;
  }
}
