// Vaults of one tenant. What ends a vault ends its credentials in the same transaction, and their secrets with them.
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import { type Metadata, type MetadataPatch, patchMetadata } from '@capstan/schema/metadata';
import type { Page } from '@capstan/schema/page';
import type { Vault } from '@capstan/schema/vaults';
import type { Announcement } from '@capstan/schema/webhook-events';
import { newId } from '@capstan/shared/ids';
import { and, desc, eq, inArray, isNull, lt, not, type SQL, sql } from 'drizzle-orm';
import { isSame } from './agent-settings.ts';
import { UPDATE_ATTEMPTS } from './contention.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { announce, announceAll, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { vaultCredentials, vaults } from './tables/vaults.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewVault {
  displayName: string;
  metadata: Metadata;
  /** Epoch ms. */
  now: number;
}

/** What is not given stays as it is. */
export interface VaultChange {
  displayName?: string | undefined;
  metadata?: MetadataPatch | undefined;
}

export interface VaultFilter {
  limit: number;
  page?: string | undefined;
  includeArchived: boolean;
}

type VaultRow = typeof vaults.$inferSelect;

export class VaultStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** With a claim, a receipt is kept. */
  async create({ displayName, metadata, now }: NewVault, claim?: Claim): Promise<Vault> {
    const { db, tenantId } = this.#scope;
    const id = newId('vault', now);
    const times = { createdAt: now, updatedAt: now, archivedAt: null };
    const row: VaultRow = { id, tenantId, displayName, metadata, ...times };
    const made = toVault(row);
    await db.batch([
      db.insert(vaults).values(row),
      ...announce(this.#scope, { type: 'vault.created', id, now }),
      ...keepReceipt(this.#scope, claim, { id, reply: JSON.stringify(made), now }),
    ]);
    return made;
  }

  async retrieve(id: string): Promise<Vault> {
    return toVault(await this.#find(id));
  }

  /** Refuses (`invalid_request`) an archived one. Changes that race are made one after the other. */
  async update(id: string, change: VaultChange, now: number): Promise<Vault> {
    const { db } = this.#scope;
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const row = await this.#find(id);
      if (row.archivedAt !== null) throw archived(id);
      const { displayName = row.displayName, metadata } = change;
      const next = { displayName, metadata: metadata ? patchMetadata(row.metadata, metadata) : row.metadata };
      if (isSame(row, { ...row, ...next })) return toVault(row);
      // Later than the last change, so that no two of them have the same time.
      const changed = { ...next, updatedAt: Math.max(now, row.updatedAt + 1) };
      const still = and(this.#own(id), eq(vaults.updatedAt, row.updatedAt), isNull(vaults.archivedAt));
      const [kept] = await db.update(vaults).set(changed).where(still).returning();
      if (kept) return toVault(kept);
    }
    throw busy();
  }

  /** With its credentials, whose secrets are erased. Archiving again changes nothing. */
  async archive(id: string, now: number): Promise<Vault> {
    const { db } = this.#scope;
    const own = and(this.#own(id), isNull(vaults.archivedAt));
    const open = and(this.#credentials(id), isNull(vaultCredentials.archivedAt));
    const ended = { archivedAt: now, updatedAt: now };
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const { still, credentials } = await this.#asTheyAre(own, open);
      const when = exists(vaults, still);
      await db.batch([
        ...announce(this.#scope, { type: 'vault.archived', id, now }, when),
        ...announceAll(
          this.#scope,
          ofEach(credentials, { type: 'vault_credential.archived', vaultId: id, now }),
          when,
        ),
        db
          .update(vaultCredentials)
          .set({ ...ended, secrets: null })
          .where(and(open, when)),
        db.update(vaults).set(ended).where(still),
      ]);
      const vault = await this.retrieve(id);
      if (vault.archived_at !== null) return vault;
    }
    throw busy();
  }

  /** With its credentials. `not_found` when it is deleted already. */
  async delete(id: string, now: number): Promise<void> {
    const { db } = this.#scope;
    const own = this.#own(id);
    const all = this.#credentials(id);
    await this.#find(id);
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const { still, credentials } = await this.#asTheyAre(own, all);
      const when = exists(vaults, still);
      await db.batch([
        ...announce(this.#scope, { type: 'vault.deleted', id, now }, when),
        ...announceAll(
          this.#scope,
          ofEach(credentials, { type: 'vault_credential.deleted', vaultId: id, now }),
          when,
        ),
        db.delete(vaultCredentials).where(and(all, when)),
        db.delete(vaults).where(still),
      ]);
      const left = await db.select({ id: vaults.id }).from(vaults).where(own);
      if (left.length === 0) return;
    }
    throw busy();
  }

  async list(filter: VaultFilter): Promise<Page<Vault>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'vaults', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const found = await db
      .select()
      .from(vaults)
      .where(
        and(
          eq(vaults.tenantId, tenantId),
          filter.includeArchived ? undefined : isNull(vaults.archivedAt),
          at.id === null ? undefined : lt(vaults.id, at.id),
        ),
      )
      .orderBy(desc(vaults.id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toVault), next_page: page.next };
  }

  /** Refuses the first of them that is not there (`not_found`) or is archived (`invalid_request`), named by `field`. */
  async require(ids: readonly string[], field: string): Promise<void> {
    if (ids.length === 0) return;
    const found = await this.#scope.db
      .select({ id: vaults.id, archivedAt: vaults.archivedAt })
      .from(vaults)
      .where(and(eq(vaults.tenantId, this.#scope.tenantId), inArray(vaults.id, [...ids])));
    for (const [index, id] of ids.entries()) {
      const row = found.find((vault) => vault.id === id);
      if (row === undefined)
        throw new ApiError('not_found', `${field}.${index}: no vault ${id}`, { reason: 'vault_not_found' });
      if (row.archivedAt === null) continue;
      const message = `${field}.${index}: the vault ${id} is archived; leave it out or name another one`;
      throw new ApiError('invalid_request', message, { reason: 'vault_archived' });
    }
  }

  async #find(id: string): Promise<VaultRow> {
    const [row] = await this.#scope.db.select().from(vaults).where(this.#own(id));
    if (row) return row;
    throw unknown(id);
  }

  /** These credentials, and the vault as long as there are no others: each that ends is told of. */
  async #asTheyAre(own: SQL | undefined, which: SQL | undefined) {
    const found = await this.#scope.db
      .select({ id: vaultCredentials.id })
      .from(vaultCredentials)
      .where(which);
    const credentials = found.map(({ id }) => id);
    const known = sql`(SELECT value FROM json_each(${JSON.stringify(credentials)}))`;
    const others = exists(vaultCredentials, and(which, sql`${vaultCredentials.id} NOT IN ${known}`));
    return { credentials, still: and(own, not(others)) };
  }

  #own(id: string) {
    return and(eq(vaults.tenantId, this.#scope.tenantId), eq(vaults.id, id));
  }

  #credentials(id: string) {
    return and(eq(vaultCredentials.tenantId, this.#scope.tenantId), eq(vaultCredentials.vaultId, id));
  }
}

function unknown(id: string): ApiError {
  return new ApiError('not_found', `No vault ${id}`);
}

function busy(): ApiError {
  return new ApiError('unavailable', 'The vault is being changed: try again', { retryAfterSeconds: 1 });
}

type OfCredential = Extract<Announcement, { vaultId: string }>;

function ofEach(ids: readonly string[], news: Omit<OfCredential, 'id' | 'eventId'>): OfCredential[] {
  return ids.map((id) => ({ ...news, id, eventId: newId('webhookEvent', news.now) }));
}

function archived(id: string): ApiError {
  return new ApiError('invalid_request', `The vault ${id} is archived and cannot be changed`);
}

function toVault(row: VaultRow): Vault {
  return {
    id: row.id,
    type: 'vault',
    display_name: row.displayName,
    metadata: row.metadata,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
    archived_at: row.archivedAt === null ? null : toTimestamp(row.archivedAt),
  };
}
