// New tokens for OAuth credentials.
//  1. Of all who want one, in whatever process, one asks the issuer: who claims the row until `renewingUntil`. The others
//     wait for what becomes of it. A claim whose owner died ends by itself.
//  2. What comes back is kept only where nobody has changed the credential meanwhile: what its owner says counts.
//  3. A refusal is told once, until there is another token, and is not asked for again at once.
import type { CapturedResponse } from '@capstan/schema/credentials';
import type { Logger } from '@capstan/shared/logger';
import type { Exchange, RefreshGrant } from '@capstan/shared/oauth-refresh';
import type { Sealer } from '@capstan/shared/seal';
import { and, eq, isNull, lt, or, type SQL } from 'drizzle-orm';
import { type CredentialRow, openSecrets, sealSecrets } from './credential-secrets.ts';
import { announce, exists } from './outbox.ts';
import type { Scope } from './scope.ts';
import { vaultCredentials } from './tables/vaults.ts';

export interface RenewalDeps {
  scope: Scope;
  sealer: Sealer;
  /** Asks the issuer; gives up within 20 s. */
  exchange(grant: RefreshGrant): Promise<Exchange>;
  /** Resolves after so many ms. */
  pause(ms: number): Promise<void>;
  clock: { now(): number };
  logger: Logger;
}

export type Renewal =
  /** The row with another token, whoever had it issued. */
  | { status: 'succeeded'; row: CredentialRow }
  /** `response` null: it was refused a moment ago, and not asked for again. */
  | { status: 'failed'; response: CapturedResponse | null }
  | { status: 'connect_error' | 'no_refresh_token' | 'gone' };

export interface RenewalWish {
  /** As it was when its token turned out to be stale. */
  stale: Pick<CredentialRow, 'id' | 'version'>;
  /** Asks also when it was refused a moment ago. */
  insist?: boolean;
}

const CLAIM_MS = 30_000;
const LOOK_AGAIN_MS = 200;
const REFUSED_MS = 60_000;

export async function renewCredential(
  deps: RenewalDeps,
  { stale, insist = false }: RenewalWish,
): Promise<Renewal> {
  const { clock, pause } = deps;
  for (const until = clock.now() + 2 * CLAIM_MS; clock.now() < until; ) {
    const row = await find(deps, stale.id);
    if (row === null) return { status: 'gone' };
    if (row.version !== stale.version) return { status: 'succeeded', row };
    if (row.auth.type !== 'mcp_oauth' || row.auth.refresh === null) return { status: 'no_refresh_token' };
    if (!insist && row.refusedAt !== null && row.refusedAt > clock.now() - REFUSED_MS)
      return { status: 'failed', response: null };
    if (await claim(deps, row)) return renew(deps, row);
    await pause(LOOK_AGAIN_MS);
  }
  return { status: 'connect_error' };
}

async function renew(deps: RenewalDeps, row: CredentialRow): Promise<Renewal> {
  const { clock, logger, sealer } = deps;
  const ids = { credential_id: row.id, vault_id: row.vaultId };
  try {
    const secrets = await openSecrets(sealer, row);
    const grant = grantOf(row, secrets);
    if (grant === null) return await letGo(deps, row, { status: 'no_refresh_token' });
    const began = clock.now();
    const exchange = await deps.exchange(grant);
    logger.info('credential.renewed', { ...ids, outcome: exchange.status, duration_ms: clock.now() - began });
    if (exchange.status === 'connect_error') return await letGo(deps, row, { status: 'connect_error' });
    if (exchange.status === 'failed') return await refuse(deps, row, exchange.response);
    const { accessToken, refreshToken, expiresInSeconds } = exchange.tokens;
    const next = { ...secrets, value: accessToken, ...(refreshToken !== null && { refreshToken }) };
    const expiresAt = expiresInSeconds === null ? null : began + expiresInSeconds * 1_000;
    return await keep(deps, row, { secrets: await sealSecrets(sealer, row, next), expiresAt });
  } catch (error) {
    logger.error('credential.renewal_failed', ids, error);
    return await letGo(deps, row, { status: 'connect_error' });
  }
}

function grantOf(
  { auth }: CredentialRow,
  secrets: Awaited<ReturnType<typeof openSecrets>>,
): RefreshGrant | null {
  const { refreshToken, clientSecret } = secrets;
  if (auth.type !== 'mcp_oauth' || auth.refresh === null || refreshToken === undefined) return null;
  const { client_id: clientId, token_endpoint: tokenEndpoint, resource, scope } = auth.refresh;
  const { type } = auth.refresh.token_endpoint_auth;
  if (type === 'none')
    return { tokenEndpoint, clientId, refreshToken, resource, scope, authentication: { type } };
  if (clientSecret === undefined) return null;
  return { tokenEndpoint, clientId, refreshToken, resource, scope, authentication: { type, clientSecret } };
}

async function find({ scope: { db, tenantId } }: RenewalDeps, id: string): Promise<CredentialRow | null> {
  const { archivedAt } = vaultCredentials;
  const [row] = await db
    .select()
    .from(vaultCredentials)
    .where(and(eq(vaultCredentials.tenantId, tenantId), eq(vaultCredentials.id, id), isNull(archivedAt)));
  return row ?? null;
}

async function claim({ scope, clock }: RenewalDeps, row: CredentialRow): Promise<boolean> {
  const now = clock.now();
  const { renewingUntil } = vaultCredentials;
  const free = or(isNull(renewingUntil), lt(renewingUntil, now));
  const claimed = await scope.db
    .update(vaultCredentials)
    .set({ renewingUntil: now + CLAIM_MS })
    .where(and(unchanged(scope, row), free))
    .returning({ id: vaultCredentials.id });
  return claimed.length > 0;
}

async function keep(
  deps: RenewalDeps,
  row: CredentialRow,
  { secrets, expiresAt }: { secrets: string; expiresAt: number | null },
): Promise<Renewal> {
  const { scope, clock } = deps;
  const expires_at = expiresAt === null ? null : new Date(expiresAt).toISOString();
  const auth = row.auth.type === 'mcp_oauth' ? { ...row.auth, expires_at } : row.auth;
  const updatedAt = Math.max(clock.now(), row.updatedAt + 1);
  const [kept] = await scope.db
    .update(vaultCredentials)
    .set({ auth, secrets, version: row.version + 1, renewingUntil: null, refusedAt: null, updatedAt })
    .where(unchanged(scope, row))
    .returning();
  const now = kept ?? (await find(deps, row.id));
  return now === null ? { status: 'gone' } : { status: 'succeeded', row: now };
}

async function refuse(
  { scope, clock }: RenewalDeps,
  row: CredentialRow,
  response: CapturedResponse,
): Promise<Renewal> {
  const now = clock.now();
  const news = { type: 'vault_credential.refresh_failed' as const, id: row.id, vaultId: row.vaultId, now };
  const first = and(unchanged(scope, row), isNull(vaultCredentials.refusedAt));
  await scope.db.batch([
    ...announce(scope, news, exists(vaultCredentials, first)),
    scope.db
      .update(vaultCredentials)
      .set({ refusedAt: now, renewingUntil: null })
      .where(unchanged(scope, row)),
  ]);
  return { status: 'failed', response };
}

async function letGo({ scope }: RenewalDeps, row: CredentialRow, renewal: Renewal): Promise<Renewal> {
  await scope.db.update(vaultCredentials).set({ renewingUntil: null }).where(unchanged(scope, row));
  return renewal;
}

/** What it authenticates with is what it was. */
function unchanged({ tenantId }: Scope, { id, version }: CredentialRow): SQL | undefined {
  return and(
    eq(vaultCredentials.tenantId, tenantId),
    eq(vaultCredentials.id, id),
    eq(vaultCredentials.version, version),
    isNull(vaultCredentials.archivedAt),
  );
}
