// Why a deployment's run could not begin, and which of these reasons pause the deployment (spec §5.11).
import { z } from 'zod';

/** Those that a later run would meet as well: they pause the deployment. */
const UNRECOVERABLE = [
  'environment_archived_error',
  'environment_not_found_error',
  'agent_archived_error',
  'vault_not_found_error',
  'vault_archived_error',
  'file_not_found_error',
  'memory_store_archived_error',
  'skill_not_found_error',
  'session_resource_not_found_error',
  'workspace_archived_error',
  'organization_disabled_error',
  'self_hosted_resources_unsupported_error',
  'mcp_egress_blocked_error',
  'unknown_error',
] as const;

export const pausingErrorType = z.enum(UNRECOVERABLE);
export type PausingErrorType = z.infer<typeof pausingErrorType>;

export const runError = z
  .object({
    type: z.enum([...UNRECOVERABLE, 'session_rate_limited_error', 'session_creation_rejected_error']),
    message: z.string(),
  })
  .meta({ id: 'RunError' });
export type RunError = z.infer<typeof runError>;

export function isPausing(type: RunError['type']): type is PausingErrorType {
  return pausingErrorType.safeParse(type).success;
}
