// A session's vaults in the control plane: read anew whenever something of them is wanted, opened here and kept nowhere.
import { type RenewalDeps, renewCredential } from '@capstan/db/credential-renewal';
import { type CredentialRow, openSecrets } from '@capstan/db/credential-secrets';
import type { Database } from '@capstan/db/database';
import { stores } from '@capstan/db/stores';
import {
  createMcpAuthorization,
  type McpAuthorization,
  type McpToken,
  type McpTokens,
} from '@capstan/harness/vault/mcp-authorization';
import type { VaultVariable, VaultVariables } from '@capstan/harness/vault/sandbox-variables';
import type { SessionSpec } from '@capstan/session/spec';
import type { Logger } from '@capstan/shared/logger';
import { exchangeRefreshToken } from '@capstan/shared/oauth-refresh';
import type { Reach } from '@capstan/shared/safe-fetch';
import type { Sealer } from '@capstan/shared/seal';

export interface VaultDeps {
  db: Database;
  sealer: Sealer;
  reach: Reach;
  clock: { now(): number };
  logger: Logger;
}

type Owner = Pick<SessionSpec, 'tenantId' | 'vaultIds'>;

/** Undefined: the session has no vaults. */
export function vaultVariables(
  { db, sealer }: Pick<VaultDeps, 'db' | 'sealer'>,
  { tenantId, vaultIds }: Owner,
): VaultVariables | undefined {
  if (vaultIds.length === 0) return undefined;
  const { credentials } = stores(db, tenantId);
  return {
    load: async () => (await credentials.variables(vaultIds)).flatMap((row) => toVariable(sealer, row)),
  };
}

function toVariable(sealer: Sealer, row: CredentialRow): VaultVariable[] {
  const { id, version, auth } = row;
  if (auth.type !== 'environment_variable') return [];
  const { secret_name: name, networking, injection_location: where } = auth;
  // `*` is every host that the sandbox's own network lets it reach: the credential says nothing more, and widens nothing.
  const hosts = networking.type === 'limited' ? networking.allowed_hosts : ['*'];
  const locations = { header: where.header, query: false, body: where.body };
  const open = async () => (await openSecrets(sealer, row)).value;
  return [{ id, version, name, hosts, locations, open }];
}

/** Of the session's calls to MCP servers. */
export function vaultAuthorization(deps: VaultDeps, owner: Owner): McpAuthorization {
  return createMcpAuthorization(vaultTokens(deps, owner), deps.clock);
}

function vaultTokens(deps: VaultDeps, { tenantId, vaultIds }: Owner): McpTokens {
  const { db, sealer, logger } = deps;
  const { credentials } = stores(db, tenantId);
  const renewal = renewalDeps(deps, tenantId);
  return {
    async find(serverUrl) {
      const row = await credentials.forServer(vaultIds, serverUrl);
      if (row === null) return null;
      const token = await open(row);
      if (token !== null) logger.info('credential.used', { credential_id: row.id, vault_id: row.vaultId });
      return token;
    },
    async renew({ credentialId, version }) {
      const renewed = await renewCredential(renewal, { stale: { id: credentialId, version } });
      return renewed.status === 'succeeded' ? open(renewed.row) : null;
    },
  };

  /** Null, and a line in the log, where this server cannot open it. */
  async function open(row: CredentialRow): Promise<McpToken | null> {
    const { id: credentialId, version, auth } = row;
    const expiry = auth.type === 'mcp_oauth' ? auth.expires_at : null;
    try {
      const { value: token } = await openSecrets(sealer, row);
      return { credentialId, version, token, expiresAt: expiry === null ? null : Date.parse(expiry) };
    } catch (error) {
      logger.error('vault.credential_unreadable', { credential_id: credentialId }, error);
      return null;
    }
  }
}

function renewalDeps({ db, sealer, reach, clock, logger }: VaultDeps, tenantId: string): RenewalDeps {
  return {
    scope: { db, tenantId },
    sealer,
    exchange: (grant) => exchangeRefreshToken(grant, reach),
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    clock,
    logger,
  };
}
