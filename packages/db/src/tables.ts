// The control plane's tables on D1. Instants are epoch ms; every row that belongs to someone carries `tenant_id`.
import type { AgentDefinition, AgentSnapshot } from '@capstan/schema/agents';
import type { Budget } from '@capstan/schema/budgets';
import type { EnvironmentConfig } from '@capstan/schema/environments';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { Metadata } from '@capstan/schema/metadata';
import type { OutcomeEvaluation } from '@capstan/schema/outcomes';
import type { Checkout, SessionResource } from '@capstan/schema/resources';
import type { SessionStatus } from '@capstan/schema/sessions';
import type { SessionUsage } from '@capstan/schema/usage';
import { sql } from 'drizzle-orm';
import {
  foreignKey,
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

/** What a fork begins with. */
export interface Origin {
  sessionId: string;
  eventId: string;
  /** Of the sandbox; absent or null: there is none that it could begin with. */
  snapshot?: OriginSnapshot | null;
}

export interface OriginSnapshot {
  imageId: string;
  snapshotId: string;
  /** Epoch ms. */
  takenAt: number;
  upTo: string | null;
  marked: boolean;
}

export const tenants = sqliteTable('tenants', {
  id: text().primaryKey(),
  name: text().notNull(),
  createdAt: integer('created_at').notNull(),
});

export const apiKeys = sqliteTable(
  'api_keys',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id')
      .notNull()
      .references(() => tenants.id),
    name: text().notNull(),
    /** SHA-256 of the key, lower-case hex. The key itself is never stored. */
    hash: text().notNull(),
    lastFour: text('last_four').notNull(),
    createdAt: integer('created_at').notNull(),
    revokedAt: integer('revoked_at'),
  },
  (t) => [uniqueIndex('api_keys_hash').on(t.hash), index('api_keys_tenant').on(t.tenantId, t.id)],
);

export const loginCodes = sqliteTable('login_codes', {
  /** SHA-256 of the code, lower-case hex. */
  hash: text().primaryKey(),
  tenantId: text('tenant_id').notNull(),
  apiKeyId: text('api_key_id').notNull(),
  apiKeyName: text('api_key_name').notNull(),
  apiKeyLastFour: text('api_key_last_four').notNull(),
  expiresAt: integer('expires_at').notNull(),
});

export const agents = sqliteTable(
  'agents',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    version: integer().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
  },
  (t) => [index('agents_tenant').on(t.tenantId, t.id)],
);

export const agentVersions = sqliteTable(
  'agent_versions',
  {
    tenantId: text('tenant_id').notNull(),
    agentId: text('agent_id').notNull(),
    version: integer().notNull(),
    definition: text({ mode: 'json' }).$type<AgentDefinition>().notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.agentId, t.version] }),
    foreignKey({ columns: [t.agentId], foreignColumns: [agents.id] }),
  ],
);

export const environments = sqliteTable(
  'environments',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    name: text().notNull(),
    description: text(),
    config: text({ mode: 'json' }).$type<EnvironmentConfig>().notNull(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    scope: text({ enum: ['organization', 'account'] }).notNull(),
    /** What a session gets that names no environment: at most one per tenant. */
    isDefault: integer('is_default', { mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
  },
  (t) => [
    index('environments_tenant').on(t.tenantId, t.id),
    uniqueIndex('environments_default').on(t.tenantId).where(sql`is_default = 1`),
  ],
);

export const sessions = sqliteTable(
  'sessions',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    /** The primary thread. */
    threadId: text('thread_id').notNull(),
    agentId: text('agent_id').notNull(),
    agent: text({ mode: 'json' }).$type<AgentSnapshot>().notNull(),
    environmentId: text('environment_id').notNull(),
    environment: text({ mode: 'json' }).$type<EnvironmentConfig>().notNull(),
    title: text(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    createdAt: integer('created_at').notNull(),
    /** From here on an index: the session itself is the truth, this copy serves lists. */
    status: text().$type<SessionStatus>().notNull(),
    usage: text({ mode: 'json' }).$type<SessionUsage>().notNull(),
    activeSeconds: real('active_seconds').notNull(),
    updatedAt: integer('updated_at').notNull(),
    archivedAt: integer('archived_at'),
    budget: text({ mode: 'json' }).$type<Budget>(),
    outcomeEvaluations: text('outcome_evaluations', { mode: 'json' })
      .$type<OutcomeEvaluation[]>()
      .notNull()
      .default([]),
    /** Of the definition: what was sent with the creation. */
    initialEvents: text('initial_events', { mode: 'json' }).$type<EventParam[]>().notNull().default([]),
    /** Of the definition: the session whose log this one begins with, the last event it takes over, and its snapshot. */
    origin: text({ mode: 'json' }).$type<Origin>(),
  },
  (t) => [
    index('sessions_tenant').on(t.tenantId, t.id),
    index('sessions_agent').on(t.tenantId, t.agentId, t.id),
    // Lists leave archived sessions out unless asked, and mostly look for the few that run.
    index('sessions_open').on(t.tenantId, t.id).where(sql`archived_at IS NULL`),
    index('sessions_status').on(t.tenantId, t.status, t.id),
  ],
);

export const files = sqliteTable(
  'files',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    kind: text().$type<FileKind>().notNull(),
    filename: text().notNull(),
    mimeType: text('mime_type').notNull(),
    sizeBytes: integer('size_bytes').notNull(),
    /** Names the content: equal digests are equal bytes. */
    digest: text().notNull(),
    /** Where the content is; several files may share it. Null: it has expired and is gone. */
    blob: text(),
    downloadable: integer({ mode: 'boolean' }).notNull(),
    /** The session it goes with. */
    sessionId: text('session_id'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at'),
  },
  (t) => [
    index('files_listed').on(t.tenantId, t.id).where(sql`kind <> 'copy'`),
    index('files_session').on(t.tenantId, t.sessionId, t.id).where(sql`session_id IS NOT NULL`),
    // An output is one file however often its directory is looked through.
    uniqueIndex('files_output').on(t.sessionId, t.filename, t.digest).where(sql`kind = 'output'`),
    index('files_blob').on(t.blob),
    index('files_expiry').on(t.expiresAt).where(sql`expires_at IS NOT NULL AND blob IS NOT NULL`),
  ],
);

/** Uploaded; made by an agent; or a session's own copy of one, which is listed among its resources and not here. */
export type FileKind = 'upload' | 'output' | 'copy';

/** Blobs that no file may have: of uploads under way, and of files that are gone. Past its time a blob is removed. */
export const blobDebts = sqliteTable(
  'blob_debts',
  { blob: text().primaryKey(), dueAt: integer('due_at').notNull() },
  (t) => [index('blob_debts_due').on(t.dueAt)],
);

/** What is mounted in the sandboxes of sessions. */
export const sessionResources = sqliteTable(
  'session_resources',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    sessionId: text('session_id').notNull(),
    type: text().$type<SessionResource['type']>().notNull(),
    /** Of a file: the session's own copy. */
    fileId: text('file_id'),
    /** Of a repository. */
    url: text(),
    checkout: text({ mode: 'json' }).$type<Checkout>(),
    mountPath: text('mount_path').notNull(),
    /** Of a repository: sealed for this row. */
    token: text(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [uniqueIndex('session_resources_session').on(t.sessionId, t.id)],
);

/** Images of sandboxes' snapshots that more than one session has held, and who holds them. */
export const snapshotHolders = sqliteTable(
  'snapshot_holders',
  {
    imageId: text('image_id').notNull(),
    sessionId: text('session_id').notNull(),
    tenantId: text('tenant_id').notNull(),
  },
  (t) => [primaryKey({ columns: [t.imageId, t.sessionId] })],
);

/** What model calls took: lines are only added, and outlive their session. */
export const ledger = sqliteTable(
  'ledger',
  {
    /** The event that ended the call. */
    eventId: text('event_id').primaryKey(),
    tenantId: text('tenant_id').notNull(),
    sessionId: text('session_id').notNull(),
    threadId: text('thread_id').notNull(),
    agentId: text('agent_id').notNull(),
    agentVersion: integer('agent_version').notNull(),
    kind: text().$type<LedgerKind>().notNull(),
    provider: text().notNull(),
    model: text().notNull(),
    inputTokens: integer('input_tokens').notNull(),
    outputTokens: integer('output_tokens').notNull(),
    cacheReadTokens: integer('cache_read_tokens').notNull(),
    cacheWriteTokens: integer('cache_write_tokens').notNull(),
    /** Null: no list price was known. */
    costNanoUsd: integer('cost_nano_usd'),
    at: integer().notNull(),
    /** The call never answered: nobody told what it took, and this is what it may have taken. */
    estimated: integer({ mode: 'boolean' }).notNull().default(false),
  },
  (t) => [index('ledger_tenant').on(t.tenantId, t.at)],
);

/** What a call was made for. */
export type LedgerKind = 'model' | 'compaction' | 'grading';

export const receipts = sqliteTable(
  'receipts',
  {
    /** Names the request; where only its body does, the id of what it made is added. */
    name: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    /** A digest of the request's body. */
    fingerprint: text().notNull(),
    /** What was made. */
    resourceId: text('resource_id').notNull(),
    /** The answer's body, JSON. */
    reply: text().notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [index('receipts_expiry').on(t.expiresAt)],
);
