// Credentials of one tenant's vaults.
//  1. Of a vault's credentials that are not archived no two have the same key, and there are not too many: the statement
//     that inserts decides, so requests that race cannot make one too many.
//  2. An archived credential has no secrets, from the statement on that archives it.
import type { CredentialAuth } from '@capstan/schema/credential-auth';
import { type Credential, MAX_CREDENTIALS_PER_VAULT } from '@capstan/schema/credentials';
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { Metadata } from '@capstan/schema/metadata';
import type { Page } from '@capstan/schema/page';
import { and, desc, eq, getTableColumns, gte, inArray, isNull, lt, type SQL, sql } from 'drizzle-orm';
import { type CredentialRow, keyOf, keyOfServer, VARIABLE_KEYS } from './credential-secrets.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { announce, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { vaultCredentials, vaults } from './tables/vaults.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewCredential {
  id: string;
  vaultId: string;
  displayName: string | null;
  metadata: Metadata;
  auth: CredentialAuth;
  /** Sealed for the row of that id. */
  secrets: string;
  /** Epoch ms. */
  now: number;
}

export interface CredentialChange {
  displayName: string | null;
  metadata: Metadata;
  /** Absent: what it authenticates with stays. Its secrets are sealed for the row. */
  auth?: { shown: CredentialAuth; secrets: string } | undefined;
}

export interface CredentialFilter {
  limit: number;
  page?: string | undefined;
  includeArchived: boolean;
}

/** Nobody renews it, and nobody was refused. */
export const AS_NEW = { renewingUntil: null, refusedAt: null };

export class CredentialStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Refuses an unknown vault (`not_found`), a key that is taken (`conflict`), an archived vault and one too many. */
  async create(input: NewCredential, claim?: Claim): Promise<Credential> {
    const { db, tenantId } = this.#scope;
    const { now, ...given } = input;
    const key = keyOf(input.auth);
    const times = { createdAt: now, updatedAt: now, archivedAt: null, ...AS_NEW };
    const row: CredentialRow = { tenantId, key, version: 1, ...given, ...times };
    const made = toCredential(row);
    const { vaultId } = input;
    const when = and(this.#isOpen(vaultId), this.#hasRoom(vaultId), sql`NOT ${this.#isTaken(vaultId, key)}`);
    const from = sql`FROM ${vaultCredentials} WHERE ${vaultCredentials.id} = ${row.id}`;
    const [[inserted]] = await db.batch([
      db
        .insert(vaultCredentials)
        .select(sql`SELECT ${valuesOf(row)} WHERE ${when}`)
        .returning({ id: vaultCredentials.id }),
      ...announce(
        this.#scope,
        { type: 'vault_credential.created', id: row.id, vaultId, now },
        exists(vaultCredentials, eq(vaultCredentials.id, row.id)),
      ),
      ...keepReceipt(this.#scope, claim, { id: row.id, reply: JSON.stringify(made), from, now }),
    ]);
    if (inserted) return made;
    throw await this.#refusal(vaultId, input.auth);
  }

  async retrieve(vaultId: string, id: string): Promise<Credential> {
    return toCredential(await this.row(vaultId, id));
  }

  /** Refuses (`not_found`) what the vault does not have. */
  async row(vaultId: string, id: string): Promise<CredentialRow> {
    const [row] = await this.#scope.db.select().from(vaultCredentials).where(this.#named(vaultId, id));
    if (row) return row;
    throw unknown(vaultId, id);
  }

  /** Null: it has changed since `row` was read, or is archived. */
  async update(row: CredentialRow, change: CredentialChange, now: number): Promise<Credential | null> {
    const { displayName, metadata, auth } = change;
    const changed = auth && { auth: auth.shown, secrets: auth.secrets, ...AS_NEW, version: row.version + 1 };
    const [kept] = await this.#scope.db
      .update(vaultCredentials)
      .set({ displayName, metadata, ...changed, updatedAt: Math.max(now, row.updatedAt + 1) })
      .where(
        and(
          this.#named(row.vaultId, row.id),
          eq(vaultCredentials.updatedAt, row.updatedAt),
          isNull(vaultCredentials.archivedAt),
        ),
      )
      .returning();
    return kept ? toCredential(kept) : null;
  }

  /** Erases its secrets. Archiving again changes nothing. */
  async archive(vaultId: string, id: string, now: number): Promise<Credential> {
    const { db } = this.#scope;
    const open = and(this.#named(vaultId, id), isNull(vaultCredentials.archivedAt));
    const news = { type: 'vault_credential.archived' as const, id, vaultId, now };
    await db.batch([
      ...announce(this.#scope, news, exists(vaultCredentials, open)),
      db
        .update(vaultCredentials)
        .set({ archivedAt: now, updatedAt: now, secrets: null, renewingUntil: null })
        .where(open),
    ]);
    return this.retrieve(vaultId, id);
  }

  /** `not_found` when it is deleted already. */
  async delete(vaultId: string, id: string, now: number): Promise<void> {
    const { db } = this.#scope;
    const named = this.#named(vaultId, id);
    const news = { type: 'vault_credential.deleted' as const, id, vaultId, now };
    const [, gone] = await db.batch([
      ...announce(this.#scope, news, exists(vaultCredentials, named)),
      db.delete(vaultCredentials).where(named).returning({ id: vaultCredentials.id }),
    ]);
    if (gone.length === 0) throw unknown(vaultId, id);
  }

  /** Refuses (`not_found`) an unknown vault. */
  async list(vaultId: string, filter: CredentialFilter): Promise<Page<Credential>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: `credentials:${vaultId}`, tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { id, archivedAt } = vaultCredentials;
    const [known, found] = await db.batch([
      db.select({ id: vaults.id }).from(vaults).where(this.#vault(vaultId)),
      db
        .select()
        .from(vaultCredentials)
        .where(
          and(
            this.#ofVault(vaultId),
            filter.includeArchived ? undefined : isNull(archivedAt),
            at.id === null ? undefined : lt(id, at.id),
          ),
        )
        .orderBy(desc(id))
        .limit(at.take),
    ]);
    if (known.length === 0) throw new ApiError('not_found', `No vault ${vaultId}`);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toCredential), next_page: page.next };
  }

  /** What the first of these vaults that has any has for a server. */
  async forServer(vaultIds: readonly string[], url: string): Promise<CredentialRow | null> {
    const found = await this.#active(vaultIds, eq(vaultCredentials.key, keyOfServer(url)));
    return found[0] ?? null;
  }

  /** Variables in these vaults; of one name that of the first vault that has it. */
  async variables(vaultIds: readonly string[]): Promise<CredentialRow[]> {
    const { key } = vaultCredentials;
    const found = await this.#active(
      vaultIds,
      and(gte(key, VARIABLE_KEYS.from), lt(key, VARIABLE_KEYS.before)),
    );
    return found.filter((row, index) => found.findIndex((other) => other.key === row.key) === index);
  }

  async #active(vaultIds: readonly string[], which: SQL | undefined): Promise<CredentialRow[]> {
    if (vaultIds.length === 0) return [];
    const { tenantId, vaultId, archivedAt } = vaultCredentials;
    const found = await this.#scope.db
      .select()
      .from(vaultCredentials)
      .where(
        and(eq(tenantId, this.#scope.tenantId), inArray(vaultId, [...vaultIds]), isNull(archivedAt), which),
      );
    return found.toSorted((a, b) => vaultIds.indexOf(a.vaultId) - vaultIds.indexOf(b.vaultId));
  }

  async #refusal(vaultId: string, auth: CredentialAuth): Promise<ApiError> {
    const [vault] = await this.#scope.db
      .select({ archivedAt: vaults.archivedAt, taken: sql<number>`${this.#isTaken(vaultId, keyOf(auth))}` })
      .from(vaults)
      .where(this.#vault(vaultId));
    if (vault === undefined) return new ApiError('not_found', `No vault ${vaultId}`);
    if (vault.archivedAt !== null)
      return new ApiError('invalid_request', `The vault ${vaultId} is archived and takes no credentials`);
    if (vault.taken) return new ApiError('conflict', `${nameOf(auth)}; change or archive that one`);
    return new ApiError(
      'invalid_request',
      `A vault has at most ${MAX_CREDENTIALS_PER_VAULT} credentials that are not archived; ${vaultId} has as many`,
    );
  }

  #vault(id: string): SQL | undefined {
    return and(eq(vaults.tenantId, this.#scope.tenantId), eq(vaults.id, id));
  }

  #ofVault(vaultId: string): SQL | undefined {
    return and(eq(vaultCredentials.tenantId, this.#scope.tenantId), eq(vaultCredentials.vaultId, vaultId));
  }

  #named(vaultId: string, id: string): SQL | undefined {
    return and(this.#ofVault(vaultId), eq(vaultCredentials.id, id));
  }

  #isOpen(vaultId: string): SQL {
    return sql`EXISTS (SELECT 1 FROM ${vaults} WHERE ${this.#vault(vaultId)} AND ${isNull(vaults.archivedAt)})`;
  }

  #hasRoom(vaultId: string): SQL {
    return sql`(SELECT count(*) FROM vault_credentials AS c WHERE c.vault_id = ${vaultId} AND c.archived_at IS NULL) < ${MAX_CREDENTIALS_PER_VAULT}`;
  }

  #isTaken(vaultId: string, key: string): SQL {
    return sql`EXISTS (SELECT 1 FROM vault_credentials AS c WHERE c.vault_id = ${vaultId} AND c.key = ${key} AND c.archived_at IS NULL)`;
  }
}

/** In the order of the table's columns. */
function valuesOf(row: CredentialRow): SQL {
  const known = new Map<string, unknown>(Object.entries(row));
  const values = Object.entries(getTableColumns(vaultCredentials)).map(([name, column]) => {
    const value = known.get(name);
    return value === null || value === undefined ? sql`NULL` : sql`${sql.param(value, column)}`;
  });
  return sql.join(values, sql`, `);
}

function nameOf(auth: CredentialAuth): string {
  return auth.type === 'environment_variable'
    ? `auth.secret_name: the vault has a credential named ${auth.secret_name} already`
    : 'auth.mcp_server_url: the vault has a credential for this server already';
}

function unknown(vaultId: string, id: string): ApiError {
  return new ApiError('not_found', `No credential ${id} in the vault ${vaultId}`);
}

function toCredential(row: CredentialRow): Credential {
  return {
    id: row.id,
    type: 'vault_credential',
    vault_id: row.vaultId,
    display_name: row.displayName,
    metadata: row.metadata,
    auth: row.auth,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
    archived_at: row.archivedAt === null ? null : toTimestamp(row.archivedAt),
  };
}
