// Vaults and their credentials.
import type { CredentialAuth } from '@capstan/schema/credential-auth';
import type { Metadata } from '@capstan/schema/metadata';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const vaults = sqliteTable(
  'vaults',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    displayName: text('display_name').notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
  },
  (t) => [
    index('vaults_tenant').on(t.tenantId, t.id),
    index('vaults_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL`),
  ],
);

export const vaultCredentials = sqliteTable(
  'vault_credentials',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    vaultId: text('vault_id').notNull(),
    /** What it is found by: of the credentials of a vault that are not archived, each has another. */
    key: text().notNull(),
    displayName: text('display_name'),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    /** As it is shown. */
    auth: text({ mode: 'json' }).$type<CredentialAuth>().notNull(),
    /** Sealed for this row; null once it is archived. */
    secrets: text(),
    /** Counts what changes what it authenticates with. */
    version: integer().notNull(),
    /** Until then somebody asks for a new token, and nobody else may. */
    renewingUntil: integer('renewing_until'),
    /** When the issuer last refused one, until there is another. */
    refusedAt: integer('refused_at'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
  },
  (t) => [
    index('vault_credentials_vault').on(t.vaultId, t.id),
    index('vault_credentials_open').on(t.vaultId, t.id).where(sql`archived_at IS NULL`),
    uniqueIndex('vault_credentials_key').on(t.vaultId, t.key).where(sql`archived_at IS NULL`),
  ],
);
