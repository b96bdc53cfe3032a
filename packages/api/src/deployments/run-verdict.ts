// What is to become of a run whose session could not be created.
import { type ErrorCode, isApiError } from '@capstan/schema/error';
import type { RunError } from '@capstan/schema/run-errors';

/**
 * `failed`: it is recorded. `retry`: a later attempt may succeed. `orphaned`: the agent is gone for good, and the deployment
 * with it. `not_due`: the deployment has changed since, and no longer makes this run.
 */
export type Verdict =
  | { type: 'failed'; error: RunError }
  | { type: 'retry' }
  | { type: 'orphaned' }
  | { type: 'not_due' };

const BY_REASON: Record<string, RunError['type']> = {
  environment_archived: 'environment_archived_error',
  environment_not_found: 'environment_not_found_error',
  vault_not_found: 'vault_not_found_error',
  vault_archived: 'vault_archived_error',
  file_not_found: 'file_not_found_error',
  memory_store_archived: 'memory_store_archived_error',
  memory_store_not_found: 'session_resource_not_found_error',
  skill_not_found: 'skill_not_found_error',
  skill_version_not_found: 'skill_not_found_error',
  self_hosted_resources_unsupported: 'self_hosted_resources_unsupported_error',
  mcp_egress_blocked: 'mcp_egress_blocked_error',
};

const PASSING: ReadonlySet<ErrorCode> = new Set(['internal', 'unavailable', 'timeout', 'overloaded']);

export function judge(error: unknown): Verdict {
  // Whatever is not a refusal is a fault of the moment, until it has been met too often.
  if (!isApiError(error)) return { type: 'retry' };
  const { code, message, reason } = error;
  if (reason === 'agent_archived' || reason === 'agent_not_found') return { type: 'orphaned' };
  if (reason === 'run_not_due') return { type: 'not_due' };
  const known = reason === undefined ? undefined : BY_REASON[reason];
  if (known !== undefined) return { type: 'failed', error: { type: known, message } };
  if (code === 'rate_limited')
    return { type: 'failed', error: { type: 'session_rate_limited_error', message } };
  if (PASSING.has(code)) return { type: 'retry' };
  const type = code === 'not_found' ? 'session_resource_not_found_error' : 'session_creation_rejected_error';
  return { type: 'failed', error: { type, message } };
}

/** Of a run that was tried again and again. */
export function gaveUp(error: unknown): RunError {
  const message = isApiError(error) ? error.message : 'The session could not be created';
  return { type: 'unknown_error', message };
}
