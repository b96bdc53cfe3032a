// User profiles of one tenant.
// A page by name begins after the name and the id its cursor holds: a profile that was renamed or deleted meanwhile moves no
// other. Those without a name are a list of their own behind the others, so that both are read off an index in either order.
import { ApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import { type Metadata, type MetadataPatch, patchMetadata } from '@capstan/schema/metadata';
import type { Page } from '@capstan/schema/page';
import type { UserDetails, UserProfile } from '@capstan/schema/user-profiles';
import { newId } from '@capstan/shared/ids';
import { and, asc, desc, eq, gt, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm';
import { isSame } from './agent-settings.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { userProfiles } from './tables/user-profiles.ts';
import { toTimestamp } from './timestamp.ts';

export interface NewUserProfile {
  name: string | null;
  accessType: UserProfile['access_type'];
  details: UserDetails;
  metadata: Metadata;
  /** Epoch ms. */
  now: number;
}

/** What is not given stays as it is. */
export interface UserProfileChange {
  name?: string | null | undefined;
  accessType?: UserProfile['access_type'] | undefined;
  details: Partial<UserDetails>;
  metadata?: MetadataPatch | undefined;
}

export interface UserProfileFilter {
  limit: number;
  page?: string | undefined;
  order: 'asc' | 'desc';
  by: 'created_at' | 'name';
}

type Row = typeof userProfiles.$inferSelect;

/** Where a profile stands in the order by name. */
interface Place {
  nameKey: string | null;
  id: string;
}

const ATTEMPTS = 5;

export class UserProfileStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** With a claim, a receipt is kept. */
  async create({ now, ...given }: NewUserProfile, claim?: Claim): Promise<UserProfile> {
    const { db, tenantId } = this.#scope;
    const id = newId('userProfile', now);
    const row: Row = {
      id,
      tenantId,
      ...given,
      nameKey: keyOf(given.name),
      createdAt: now,
      updatedAt: now,
    };
    const made = toUserProfile(row);
    await db.batch([
      db.insert(userProfiles).values(row),
      ...keepReceipt(this.#scope, claim, { id, reply: JSON.stringify(made), now }),
    ]);
    return made;
  }

  async retrieve(id: string): Promise<UserProfile> {
    return toUserProfile(await this.#find(id));
  }

  /** Changes that race are made one after the other. */
  async update(id: string, change: UserProfileChange, now: number): Promise<UserProfile> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const row = await this.#find(id);
      const next = revise(row, change);
      if (isSame(row, next)) return toUserProfile(row);
      // Later than the last change, so that no two of them have the same time.
      const changed = { ...next, updatedAt: Math.max(now, row.updatedAt + 1) };
      const still = and(this.#own(id), eq(userProfiles.updatedAt, row.updatedAt));
      const [kept] = await this.#scope.db.update(userProfiles).set(changed).where(still).returning();
      if (kept) return toUserProfile(kept);
    }
    throw new ApiError('unavailable', 'The user profile is being changed: try again', {
      retryAfterSeconds: 1,
    });
  }

  /** `not_found` when it is deleted already. */
  async delete(id: string): Promise<void> {
    const gone = await this.#scope.db
      .delete(userProfiles)
      .where(this.#own(id))
      .returning({ id: userProfiles.id });
    if (gone.length === 0) throw unknown(id);
  }

  async list({ by, ...filter }: UserProfileFilter): Promise<Page<UserProfile>> {
    const listing: Listing = { list: `user_profiles:${by}`, tenantId: this.#scope.tenantId, ...filter };
    const at = seek(listing);
    if (by === 'created_at') {
      const page = toPage(listing, at, await this.#newest(filter.order, at));
      return { data: page.rows.map(toUserProfile), next_page: page.next };
    }
    const found = await this.#named(filter.order, {
      after: at.id === null ? null : fromPlace(at.id),
      take: at.take,
    });
    const page = toPage(
      listing,
      at,
      found.map((row) => ({ id: toPlace(row), row })),
    );
    return { data: page.rows.map(({ row }) => toUserProfile(row)), next_page: page.next };
  }

  #newest(order: 'asc' | 'desc', { id, take }: { id: string | null; take: number }): Promise<Row[]> {
    const { beyond, along } = walking(order);
    const next = id === null ? undefined : beyond(userProfiles.id, id);
    return this.#rows(next, [along(userProfiles.id)], take);
  }

  async #named(
    order: 'asc' | 'desc',
    { after, take }: { after: Place | null; take: number },
  ): Promise<Row[]> {
    const { beyond, along } = walking(order);
    const { id, nameKey } = userProfiles;
    const named: Row[] = [];
    if (after === null || after.nameKey !== null) {
      const sign = sql.raw(order === 'asc' ? '>' : '<');
      const next = after && sql`(${nameKey}, ${id}) ${sign} (${after.nameKey}, ${after.id})`;
      named.push(
        ...(await this.#rows(and(isNotNull(nameKey), next ?? undefined), [along(nameKey), along(id)], take)),
      );
    }
    if (named.length === take) return named;
    const next = after === null || after.nameKey !== null ? undefined : beyond(id, after.id);
    return [...named, ...(await this.#rows(and(isNull(nameKey), next), [along(id)], take - named.length))];
  }

  #rows(where: SQL | undefined, order: SQL[], take: number): Promise<Row[]> {
    const { db, tenantId } = this.#scope;
    const own = eq(userProfiles.tenantId, tenantId);
    return db
      .select()
      .from(userProfiles)
      .where(and(own, where))
      .orderBy(...order)
      .limit(take);
  }

  async #find(id: string): Promise<Row> {
    const [row] = await this.#scope.db.select().from(userProfiles).where(this.#own(id));
    if (row) return row;
    throw unknown(id);
  }

  #own(id: string): SQL | undefined {
    return and(eq(userProfiles.tenantId, this.#scope.tenantId), eq(userProfiles.id, id));
  }
}

function walking(order: 'asc' | 'desc') {
  return order === 'asc' ? { beyond: gt, along: asc } : { beyond: lt, along: desc };
}

function unknown(id: string): ApiError {
  return new ApiError('not_found', `No user profile ${id}`);
}

function revise(row: Row, { name, accessType, details, metadata }: UserProfileChange): Row {
  const next = name === undefined ? row.name : name;
  return {
    ...row,
    name: next,
    nameKey: keyOf(next),
    accessType: accessType ?? row.accessType,
    details: { ...row.details, ...details },
    metadata: metadata ? patchMetadata(row.metadata, metadata) : row.metadata,
  };
}

function keyOf(name: string | null): string | null {
  return name?.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase()) ?? null;
}

/** As text of ASCII characters, which a cursor can carry. */
function toPlace({ nameKey, id }: Place): string {
  return `${nameKey === null ? '' : `=${encodeURIComponent(nameKey.toWellFormed())}`} ${id}`;
}

function fromPlace(text: string): Place {
  const [name = '', id = ''] = text.split(' ');
  return { nameKey: name === '' ? null : decodeURIComponent(name.slice(1)), id };
}

function toUserProfile(row: Row): UserProfile {
  return {
    id: row.id,
    type: 'user_profile',
    name: row.name,
    access_type: row.accessType,
    external_user_details: row.details,
    external_id: row.details.reference_id,
    external_user_onboarded_at: row.details.onboarded_at,
    metadata: row.metadata,
    trust_grants: {},
    enforcement_status: 'unrestricted',
    enforcement_actions: [],
    programs: { cyber: null, efs: null },
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
  };
}
