// Events about the session and its threads (spec §6.4, §6.6).
import { z } from 'zod';
import { agentSnapshot } from '../agents.ts';
import { budget } from '../budgets.ts';
import { idSchema } from '../ids.ts';
import { metadata } from '../metadata.ts';
import { toldUsage } from '../usage.ts';
import { serverEvent, threadId } from './persisted-event.ts';

export const stopReason = z.discriminatedUnion('type', [
  z.object({ type: z.literal('end_turn') }),
  z.object({ type: z.literal('requires_action'), event_ids: z.array(idSchema('event')) }),
  z.object({ type: z.literal('retries_exhausted') }),
  z.object({ type: z.literal('budget_reached') }),
  z.object({ type: z.literal('refusal') }),
]);
export type StopReason = z.infer<typeof stopReason>;

export const stopDetails = z
  .object({
    type: z.literal('refusal'),
    category: z.enum(['cyber', 'bio', 'frontier_llm', 'reasoning_extraction', 'general_harms']).nullable(),
    explanation: z.string().nullable(),
  })
  .nullable();
export type StopDetails = z.infer<typeof stopDetails>;

/** What becomes of the work: tried again, given up for this turn, or over for the session. */
export const retryStatus = z.object({ type: z.enum(['retrying', 'exhausted', 'terminal']) });

const plain = [
  'unknown_error',
  'model_overloaded_error',
  'model_rate_limited_error',
  'model_request_failed_error',
  'billing_error',
  'tool_use_limit_reached_error',
  'compaction_limit_reached_error',
] as const;
const mcp = ['mcp_connection_failed_error', 'mcp_authentication_failed_error'] as const;
export type McpErrorType = (typeof mcp)[number];
const repository = [
  'repository_authentication_error',
  'repository_forbidden_error',
  'repository_not_found_error',
  'repository_checkout_error',
  'repository_clone_error',
] as const;
export type RepositoryErrorType = (typeof repository)[number];
export function isRepositoryError(type: string): type is RepositoryErrorType {
  return repository.some((one) => one === type);
}
const report = { message: z.string(), retry_status: retryStatus };

export const sessionError = z.discriminatedUnion('type', [
  z.object({ type: z.enum(plain), ...report }),
  z.object({ type: z.literal('environment_image_error'), ...report }).meta({
    description:
      "Our extension: there is no sandbox, because the image of the session's environment cannot be built, or its machine cannot be had. The next message tries again.",
  }),
  z.object({ type: z.enum(mcp), mcp_server_name: z.string(), ...report }),
  z.object({
    type: z.literal('credential_host_unreachable_error'),
    vault_id: z.string(),
    credential_id: z.string(),
    ...report,
  }),
  z.object({ type: z.enum(repository), repository_url: z.string().nullable(), ...report }),
]);
export type SessionError = z.infer<typeof sessionError>;

const agentName = { agent_name: z.string() };
const idle = { stop_reason: stopReason, stop_details: stopDetails };

export const sessionEvents = [
  serverEvent('session.status_running', {}),
  serverEvent('session.status_idle', idle),
  serverEvent('session.status_rescheduled', {}),
  serverEvent('session.status_terminated', {}),
  serverEvent('session.error', { error: sessionError }),
  serverEvent('session.updated', {
    agent: agentSnapshot.optional(),
    budget: budget.nullish(),
    metadata: metadata.optional(),
    title: z.string().nullish(),
  }),
  serverEvent('session.usage', { usage: toldUsage, budget: budget.nullable() }),
  serverEvent('session.deleted', {}),
  serverEvent('session.thread_created', {
    ...threadId,
    ...agentName,
    workflow_run_id: z.string().nullable(),
  }),
  serverEvent('session.thread_status_running', { ...threadId, ...agentName }),
  serverEvent('session.thread_status_idle', { ...threadId, ...agentName, ...idle }),
  serverEvent('session.thread_status_rescheduled', { ...threadId, ...agentName }),
  serverEvent('session.thread_status_terminated', { ...threadId, ...agentName }),
] as const;
