// Whether an OAuth credential still works: its server says, and after a 401 a new token is asked for and tried as well.
import { type Renewal, renewCredential } from '@capstan/db/credential-renewal';
import { type CredentialRow, openSecrets } from '@capstan/db/credential-secrets';
import type { CredentialValidation } from '@capstan/schema/credentials';
import { ApiError } from '@capstan/schema/error';
import type { Logger } from '@capstan/shared/logger';
import { exchangeRefreshToken } from '@capstan/shared/oauth-refresh';
import type { ApiPorts } from '../ports.ts';
import { type FailedProbe, probeServer } from './mcp-probe.ts';

type Verdict = Pick<CredentialValidation, 'status' | 'mcp_probe' | 'refresh'>;

interface Validating {
  ports: ApiPorts;
  row: CredentialRow;
  logger: Logger;
}

/** Refuses (`invalid_request`) credentials of another type. */
export async function validateCredential(validating: Validating): Promise<CredentialValidation> {
  const { ports, row } = validating;
  if (row.auth.type !== 'mcp_oauth')
    throw new ApiError(
      'invalid_request',
      `${row.id} is a ${row.auth.type} credential: only mcp_oauth is validated`,
    );
  const verdict = await judge(validating, row.auth.mcp_server_url);
  return {
    type: 'vault_credential_validation',
    credential_id: row.id,
    vault_id: row.vaultId,
    ...verdict,
    has_refresh_token: row.secrets !== null && row.auth.refresh !== null,
    validated_at: new Date(ports.clock.now()).toISOString(),
  };
}

async function judge({ ports, row, logger }: Validating, url: string): Promise<Verdict> {
  if (row.secrets === null) return { status: 'invalid', mcp_probe: null, refresh: null };
  const first = await probe(ports, { row, url });
  if (first?.response?.status_code !== 401) return verdictOf(first, null);
  const renewal = await renewCredential(renewalDeps({ ports, row, logger }), { stale: row, insist: true });
  const refresh = refreshOf(renewal);
  if (renewal.status !== 'succeeded') {
    const status = renewal.status === 'connect_error' ? 'unknown' : 'invalid';
    return { ...verdictOf(first, refresh), status };
  }
  return verdictOf(await probe(ports, { row: renewal.row, url }), refresh);
}

async function probe({ sealer, reach }: ApiPorts, { row, url }: { row: CredentialRow; url: string }) {
  const { value } = await openSecrets(sealer, row);
  return probeServer({ url, token: value, reach });
}

function verdictOf(failed: FailedProbe | null, refresh: Verdict['refresh']): Verdict {
  if (failed === null) return { status: 'valid', mcp_probe: null, refresh };
  const { method, response } = failed;
  const refused = response?.status_code === 401 || response?.status_code === 403;
  return { status: refused ? 'invalid' : 'unknown', mcp_probe: { method, http_response: response }, refresh };
}

function refreshOf(renewal: Renewal): Verdict['refresh'] {
  // Archived meanwhile: its refresh token went with it.
  const status = renewal.status === 'gone' ? 'no_refresh_token' : renewal.status;
  return { status, http_response: renewal.status === 'failed' ? renewal.response : null };
}

function renewalDeps({ ports: { db, sealer, reach, clock }, row, logger }: Validating) {
  return {
    scope: { db, tenantId: row.tenantId },
    sealer,
    exchange: (grant: Parameters<typeof exchangeRefreshToken>[0]) => exchangeRefreshToken(grant, reach),
    pause: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    clock,
    logger,
  };
}
