// Environments of one tenant, and the default one that sessions without an environment share.
// The default is made on first need, once: a unique index decides between requests that race.
import type { CloudConfig, Environment, EnvironmentConfig } from '@capstan/schema/environments';
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import { imageSourceOf } from '@capstan/schema/image-source';
import { USUAL_MACHINE } from '@capstan/schema/machine';
import { type Metadata, type MetadataPatch, patchMetadata } from '@capstan/schema/metadata';
import type { Page } from '@capstan/schema/page';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, gt, isNull, lt, not } from 'drizzle-orm';
import { isSame } from './agent-settings.ts';
import { UPDATE_ATTEMPTS } from './contention.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { keepVersion } from './environment-versions.ts';
import { wireConfig } from './environment-wire.ts';
import { requireFit } from './fit.ts';
import { firstImage, toEnvironmentImage } from './image-record.ts';
import { leaveImages } from './left-images.ts';
import { announce, exists } from './outbox.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { environmentKeys } from './tables/environment-keys.ts';
import { environmentVersions } from './tables/environment-versions.ts';
import { environments } from './tables/environments.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewEnvironment {
  name: string;
  description: string | null;
  config: EnvironmentConfig;
  metadata: Metadata;
  scope: Environment['scope'];
  /** How many sandboxes are kept ready; absent: none. */
  warmSandboxes?: number;
  /** Epoch ms. */
  now: number;
}

/** What is not given stays as it is. */
export interface EnvironmentChange {
  /** The version that is to be changed; absent: whichever there is. */
  expected?: number | undefined;
  name?: string | undefined;
  description?: string | null | undefined;
  config?: ((current: EnvironmentConfig) => EnvironmentConfig) | undefined;
  metadata?: MetadataPatch | undefined;
  scope?: Environment['scope'] | undefined;
  warmSandboxes?: number | undefined;
}

export interface EnvironmentFilter {
  limit: number;
  page?: string | undefined;
  includeArchived: boolean;
}

type EnvironmentRow = typeof environments.$inferSelect;

/** A cloud environment without packages or network restrictions. */
export const OPEN_CLOUD: CloudConfig = {
  type: 'cloud',
  networking: { type: 'unrestricted' },
  packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
};

export class EnvironmentStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** With a claim, a receipt is kept: a name that is taken refuses the whole. */
  async create(input: NewEnvironment, claim?: Claim): Promise<Environment> {
    requireFit(input.config, 'config');
    requirePoolable(input.config, input.warmSandboxes ?? 0);
    const { db, tenantId } = this.#scope;
    const row = toRow(tenantId, input, false);
    const made = toEnvironment(row);
    await db.batch([
      db.insert(environments).values(row),
      keepVersion(this.#scope, eq(environments.id, row.id)),
      ...announce(this.#scope, { type: 'environment.created', id: row.id, now: input.now }),
      ...keepReceipt(this.#scope, claim, { id: row.id, reply: JSON.stringify(made), now: input.now }),
    ]);
    return made;
  }

  /** Makes the tenant's default environment unless it has one. */
  async ensureDefault(now: number): Promise<void> {
    const { db, tenantId } = this.#scope;
    const input: NewEnvironment = {
      name: 'Default',
      description: 'Used by sessions that name no environment',
      config: OPEN_CLOUD,
      metadata: {},
      scope: 'organization',
      now,
    };
    const row = toRow(tenantId, input, true);
    const there = and(eq(environments.tenantId, tenantId), eq(environments.isDefault, true));
    const missing = not(exists(environments, there));
    await db.batch([
      ...announce(this.#scope, { type: 'environment.created', id: row.id, now }, missing),
      db.insert(environments).values(row).onConflictDoNothing(),
      keepVersion(this.#scope, eq(environments.id, row.id)),
    ]);
  }

  async retrieve(id: string): Promise<Environment> {
    return toEnvironment(await this.#find(id));
  }

  /**
   * Refuses (`conflict`) another version than the expected one, and (`invalid_request`) an archived environment. Changes
   * that race are made one after the other.
   */
  async update(id: string, change: EnvironmentChange, now: number): Promise<Environment> {
    const { db } = this.#scope;
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const row = await this.#find(id);
      requireChangeable(row, change.expected);
      const next = revise(row, change, now);
      requirePoolable(next.config, next.warmSandboxes);
      if (isSame(row, { ...row, ...next })) return toEnvironment(row);
      requireFit(next.config, 'config');
      // Later than the last change, so that no two of them have the same time.
      const updatedAt = Math.max(now, row.updatedAt + 1);
      const still = and(
        this.#own(id),
        eq(environments.updatedAt, row.updatedAt),
        isNull(environments.archivedAt),
      );
      const changed = { ...next, updatedAt };
      const { builtImage } = { ...row, ...next }.image ?? {};
      const [, , [kept]] = await db.batch([
        ...announce(this.#scope, { type: 'environment.updated', id, now }, exists(environments, still)),
        leaveImages(this.#scope, { where: still, next: builtImage, now }),
        db.update(environments).set(changed).where(still).returning(),
        keepVersion(
          this.#scope,
          and(this.#own(id), eq(environments.version, next.version), eq(environments.updatedAt, updatedAt)),
        ),
      ]);
      if (kept) return toEnvironment(kept);
    }
    throw new ApiError('unavailable', 'The environment is being changed: try again', {
      retryAfterSeconds: 1,
    });
  }

  /** Archiving again changes nothing. Of an archived default, the next session that needs one makes another. */
  async archive(id: string, now: number): Promise<Environment> {
    const { db } = this.#scope;
    const open = and(this.#own(id), isNull(environments.archivedAt));
    await db.batch([
      ...announce(this.#scope, { type: 'environment.archived', id, now }, exists(environments, open)),
      leaveImages(this.#scope, { where: open, next: null, now }),
      db.update(environments).set({ archivedAt: now, updatedAt: now, isDefault: false }).where(open),
    ]);
    return this.retrieve(id);
  }

  /**
   * With its keys. Sessions have copies of what they need of it. Resolves with how many sandboxes it kept ready. `not_found`
   * when it is deleted already.
   */
  async delete(id: string, now: number): Promise<number> {
    const { db, tenantId } = this.#scope;
    const ofIt = and(eq(environmentKeys.tenantId, tenantId), eq(environmentKeys.environmentId, id));
    const [, , , , gone] = await db.batch([
      ...announce(this.#scope, { type: 'environment.deleted', id, now }, exists(environments, this.#own(id))),
      leaveImages(this.#scope, { where: this.#own(id), next: null, now }),
      db.delete(environmentKeys).where(ofIt),
      db
        .delete(environmentVersions)
        .where(and(eq(environmentVersions.tenantId, tenantId), eq(environmentVersions.environmentId, id))),
      db.delete(environments).where(this.#own(id)).returning({ warm: environments.warmSandboxes }),
    ]);
    const [deleted] = gone;
    if (deleted === undefined) throw unknown(id);
    return deleted.warm;
  }

  async list(filter: EnvironmentFilter): Promise<Page<Environment>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'environments', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { id } = environments;
    const found = await db
      .select()
      .from(environments)
      .where(
        and(
          eq(environments.tenantId, tenantId),
          filter.includeArchived ? undefined : isNull(environments.archivedAt),
          at.id === null ? undefined : at.order === 'desc' ? lt(id, at.id) : gt(id, at.id),
        ),
      )
      .orderBy(at.order === 'desc' ? desc(id) : asc(id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toEnvironment), next_page: page.next };
  }

  async #find(id: string): Promise<EnvironmentRow> {
    const [row] = await this.#scope.db.select().from(environments).where(this.#own(id));
    if (row) return row;
    throw unknown(id);
  }

  #own(id: string) {
    return and(eq(environments.tenantId, this.#scope.tenantId), eq(environments.id, id));
  }
}

/** Sessions of others have no sandboxes here; and what a GPU costs that waits is not known. */
function requirePoolable(config: EnvironmentConfig, warm: number): void {
  if (warm === 0) return;
  if (config.type === 'cloud') {
    if ((config.machine?.gpu ?? null) === null) return;
    throw new ApiError(
      'invalid_request',
      'capstan.warm_sandboxes: sandboxes with a GPU are not kept waiting; set it to 0, or leave capstan.machine.gpu out',
      { reason: 'gpu_warm_sandboxes_unsupported' },
    );
  }
  throw new ApiError(
    'invalid_request',
    'capstan.warm_sandboxes: sessions of a self_hosted environment have no sandboxes here; leave it out, or 0',
    { reason: 'self_hosted_warm_sandboxes_unsupported' },
  );
}

function unknown(id: string): ApiError {
  return new ApiError('not_found', `No environment ${id}`, { reason: 'environment_not_found' });
}

function requireChangeable({ id, version, archivedAt }: EnvironmentRow, expected?: number): void {
  if (expected !== undefined && expected !== version) {
    const hint = 'read it again, and apply the change to what it is now';
    throw new ApiError(
      'conflict',
      `capstan.version: ${id} is at version ${version}, not ${expected}; ${hint}`,
    );
  }
  if (archivedAt === null) return;
  const reason = 'environment_archived';
  throw new ApiError('invalid_request', `${id} is archived and cannot be changed`, { reason });
}

function revise(row: EnvironmentRow, change: EnvironmentChange, now: number) {
  const { name = row.name, scope = row.scope, warmSandboxes = row.warmSandboxes, metadata } = change;
  const config = change.config ? change.config(row.config) : row.config;
  const versioned = {
    name,
    scope,
    description: change.description === undefined ? row.description : change.description,
    config,
    metadata: metadata === undefined ? row.metadata : patchMetadata(row.metadata, metadata),
  };
  return {
    ...versioned,
    version: isSame(row, { ...row, ...versioned }) ? row.version : row.version + 1,
    warmSandboxes,
    ...(isSame(sourceOf(row.config), sourceOf(config)) ? {} : imageOf(config, now)),
  };
}

function sourceOf(config: EnvironmentConfig) {
  return config.type === 'cloud' ? imageSourceOf(config) : null;
}

/** Owed from the moment that what it is made from is written. */
function imageOf(config: EnvironmentConfig, now: number) {
  const image = firstImage(config, now);
  return { image, imageDueAt: image && now, imageUsedAt: null };
}

function toRow(tenantId: string, input: NewEnvironment, isDefault: boolean): EnvironmentRow {
  const { now, name, description, config, metadata, scope, warmSandboxes = 0 } = input;
  const id = newId('environment', now);
  const times = { createdAt: now, updatedAt: now, archivedAt: null };
  return {
    id,
    tenantId,
    name,
    description,
    config,
    metadata,
    scope,
    isDefault,
    warmSandboxes,
    warmRungAt: null,
    version: 1,
    ...times,
    ...imageOf(config, now),
  };
}

function toEnvironment(row: EnvironmentRow): Environment {
  return {
    id: row.id,
    type: 'environment',
    name: row.name,
    description: row.description,
    config: wireConfig(row.config),
    metadata: row.metadata,
    scope: row.scope,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
    archived_at: row.archivedAt === null ? null : toTimestamp(row.archivedAt),
    capstan: {
      image: row.image && toEnvironmentImage(row.image),
      machine: row.config.type === 'cloud' ? (row.config.machine ?? USUAL_MACHINE) : null,
      warm_sandboxes: row.warmSandboxes,
      version: row.version,
    },
  };
}
