// The secrets of a credential: in one sealed text, which opens for its own row alone.
import type { CredentialAuth } from '@capstan/schema/credential-auth';
import { serverKey } from '@capstan/schema/credential-auth';
import { ApiError } from '@capstan/schema/error';
import type { Sealer } from '@capstan/shared/seal';
import type { vaultCredentials } from './tables/vaults.ts';

export type CredentialRow = typeof vaultCredentials.$inferSelect;

export interface CredentialSecrets {
  /** The access token, the bearer token or the value of the variable. */
  value: string;
  refreshToken?: string;
  clientSecret?: string;
}

type Identity = Pick<CredentialRow, 'tenantId' | 'id'>;

export function sealSecrets(sealer: Sealer, row: Identity, secrets: CredentialSecrets): Promise<string> {
  return sealer.seal(JSON.stringify(secrets), identityOf(row));
}

/** Rejects when there are none any more, or this server cannot open them. */
export async function openSecrets(
  sealer: Sealer,
  row: Identity & Pick<CredentialRow, 'secrets'>,
): Promise<CredentialSecrets> {
  if (row.secrets === null) throw new ApiError('invalid_request', `The credential ${row.id} is archived`);
  return JSON.parse(await sealer.open(row.secrets, identityOf(row)));
}

const VARIABLE = 'variable:';
/** The keys of all variables lie between. */
export const VARIABLE_KEYS = { from: VARIABLE, before: 'variable;' } as const;

/** What a credential is found by. */
export function keyOf(auth: CredentialAuth): string {
  return auth.type === 'environment_variable'
    ? `${VARIABLE}${auth.secret_name}`
    : keyOfServer(auth.mcp_server_url);
}

export function keyOfServer(url: string): string {
  return `server:${serverKey(url)}`;
}

function identityOf({ tenantId, id }: Identity): string {
  return `${tenantId}/vault_credentials/${id}/secrets`;
}
