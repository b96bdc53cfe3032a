// Spans of model requests and outcome evaluations, and workflow runs (spec §6.5).
import { z } from 'zod';
import { idSchema } from '../ids.ts';
import { modelUsage } from '../usage.ts';
import { serverEvent } from './persisted-event.ts';

const outcome = { outcome_id: z.string(), iteration: z.int().min(0) };
const workflowError = z.object({
  type: z.enum([
    'timeout_error',
    'program_error',
    'unknown_error',
    'thread_limit_error',
    'max_workflow_runs_error',
  ]),
  message: z.string(),
});
export type WorkflowError = z.infer<typeof workflowError>;
const run = { workflow_run_id: z.string() };

/**
 * Our extension: which provider and model really answer, so that a stand-in is never mistaken for the real one. `purpose`:
 * the request judges calls of the reply that is under way, whose policy is `auto`.
 */
const answeredBy = z
  .object({
    provider: z.enum(['openai', 'anthropic', 'dev']),
    model: z.string(),
    purpose: z.literal('permission').optional(),
  })
  .optional();

export const spanEvents = [
  serverEvent('span.model_request_start', { capstan: answeredBy }),
  serverEvent('span.model_request_end', {
    model_request_start_id: idSchema('event'),
    is_error: z.boolean().nullable(),
    model_usage: modelUsage,
  }),
  serverEvent('span.outcome_evaluation_start', outcome),
  serverEvent('span.outcome_evaluation_ongoing', outcome),
  serverEvent('span.outcome_evaluation_end', {
    ...outcome,
    outcome_evaluation_start_id: z.string(),
    result: z.enum(['needs_revision', 'satisfied', 'max_iterations_reached', 'failed', 'interrupted']),
    explanation: z.string(),
    usage: modelUsage,
  }),
] as const;

export const workflowEvents = [
  serverEvent('workflow_run.created', {
    ...run,
    name: z.string(),
    description: z.string().nullable(),
    phases: z.array(z.object({ id: z.string(), name: z.string(), description: z.string().nullable() })),
  }),
  serverEvent('workflow_run.status_running', run),
  serverEvent('workflow_run.status_idle', run),
  serverEvent('workflow_run.phase_started', { ...run, workflow_run_phase_id: z.string() }),
  serverEvent('workflow_run.phase_ended', {
    ...run,
    workflow_run_phase_id: z.string(),
    phase_started_id: idSchema('event'),
  }),
  serverEvent('workflow_run.error', { workflow_run_id: z.string().nullable(), error: workflowError }),
  serverEvent('workflow_run.status_ended', {
    ...run,
    result: z.discriminatedUnion('type', [
      z.object({ type: z.literal('completed') }),
      z.object({ type: z.literal('stopped') }),
      z.object({ type: z.literal('error'), error: workflowError }),
    ]),
  }),
] as const;
