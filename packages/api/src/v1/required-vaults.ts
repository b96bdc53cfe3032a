// Which vaults a session may be given: its tenant's own, while they are not archived.
import type { Database } from '@capstan/db/database';
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';

interface Given {
  tenantId: string;
  vaultIds: readonly string[];
  /** Null: the default one. */
  environmentId: string | null;
}

/**
 * Refuses the first vault that this tenant does not have (`not_found`) or that is archived, and variables for an environment
 * whose sandboxes are not ours (`invalid_request`): nobody would put their values in.
 */
export async function requireVaults(db: Database, given: Given): Promise<void> {
  const { tenantId, vaultIds, environmentId } = given;
  if (vaultIds.length === 0) return;
  const { vaults, credentials, environments } = stores(db, tenantId);
  await vaults.require(vaultIds, 'vault_ids');
  if (environmentId === null) return;
  const [variable] = await credentials.variables(vaultIds);
  if (variable === undefined) return;
  const { config } = await environments.retrieve(environmentId);
  if (config.type !== 'self_hosted') return;
  const index = vaultIds.indexOf(variable.vaultId);
  throw new ApiError(
    'invalid_request',
    `vault_ids.${index}: has the environment variable credential ${variable.id}, and sessions of self_hosted environments cannot use those; give a vault without`,
  );
}
