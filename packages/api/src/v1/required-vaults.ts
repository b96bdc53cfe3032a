// Which vaults a session may be given: its tenant's own, while they are not archived.
import type { Database } from '@capstan/db/database';
import { stores } from '@capstan/db/stores';

interface Given {
  tenantId: string;
  vaultIds: readonly string[];
}

/** Refuses the first vault that this tenant does not have (`not_found`) or that is archived (`invalid_request`). */
export async function requireVaults(db: Database, { tenantId, vaultIds }: Given): Promise<void> {
  await stores(db, tenantId).vaults.require(vaultIds, 'vault_ids');
}
