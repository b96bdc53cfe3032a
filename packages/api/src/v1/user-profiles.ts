// User profiles over HTTP.
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import type { MetadataPatch } from '@capstan/schema/metadata';
import {
  AHEAD_MS,
  type CreateUserProfile,
  type UpdateUserProfile,
  type UserDetails,
  userProfileRoutes,
} from '@capstan/schema/user-profiles';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

const NOTHING_KNOWN: UserDetails = {
  account_status: null,
  country: null,
  email_hash: null,
  entity_type: null,
  name_hash: null,
  onboarded_at: null,
  reference_id: null,
};

export function mountUserProfiles(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, userProfileRoutes.create, async ({ principal, body, claim, head, now }) => {
    const { userProfiles, receipts } = stores(db, principal.tenantId);
    const input = {
      name: body.name ?? null,
      accessType: body.access_type ?? 'application',
      details: { ...NOTHING_KNOWN, ...toDetails(body, now) },
      metadata: body.metadata ?? {},
      now,
    };
    return answer(await receipts.once(claim, now, (kept) => userProfiles.create(input, kept)), head);
  });

  mount(surface, userProfileRoutes.list, async ({ principal, query }) => {
    // No profile has another status.
    const none = query.enforcement_status?.length && !query.enforcement_status.includes('unrestricted');
    if (none) return { data: [], next_page: null };
    const { limit, page, order, order_by: by } = query;
    return stores(db, principal.tenantId).userProfiles.list({ limit, page, order, by });
  });

  mount(surface, userProfileRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).userProfiles.retrieve(params.user_profile_id),
  );

  mount(surface, userProfileRoutes.update, ({ principal, params, body, now }) => {
    const change = {
      name: body.name,
      accessType: body.access_type ?? undefined,
      details: toDetails(body, now),
      metadata: body.metadata ? withoutEmpty(body.metadata) : undefined,
    };
    return stores(db, principal.tenantId).userProfiles.update(params.user_profile_id, change, now);
  });

  mount(surface, userProfileRoutes.delete, async ({ principal, params }) => {
    await stores(db, principal.tenantId).userProfiles.delete(params.user_profile_id);
    return { id: params.user_profile_id, type: 'user_profile_deleted' as const };
  });
}

/** What is known of the user by this body, under either name. Refuses (`invalid_request`) two names that differ. */
function toDetails(body: CreateUserProfile | UpdateUserProfile, now: number): Partial<UserDetails> {
  const details = body.external_user_details ?? {};
  const earlier = { onboarded_at: body.external_user_onboarded_at };
  const cleared = body.external_id === undefined ? {} : { reference_id: body.external_id };
  const both = { ...cleared, ...known(earlier), ...known(details) };
  if (both.reference_id !== (body.external_id ?? both.reference_id))
    throw differing('external_id', 'external_user_details.reference_id');
  const { external_user_onboarded_at: onboarded } = body;
  if (both.onboarded_at !== (onboarded ?? both.onboarded_at))
    throw differing('external_user_onboarded_at', 'external_user_details.onboarded_at');
  if (both.onboarded_at == null) return both;
  const field = onboarded == null ? 'external_user_details.onboarded_at' : 'external_user_onboarded_at';
  const at = Date.parse(both.onboarded_at);
  if (at > now + AHEAD_MS)
    throw new ApiError('invalid_request', `${field}: that is more than a minute ahead`);
  return { ...both, onboarded_at: new Date(at).toISOString() };
}

type Given<T> = { [K in keyof T]?: NonNullable<T[K]> };

function known<T extends object>(given: T): Given<T> {
  const pairs = Object.entries(given).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(pairs) as Given<T>;
}

function differing(one: string, other: string): ApiError {
  return new ApiError('invalid_request', `${one}: is another than ${other}; send one of them`);
}

function withoutEmpty(patch: MetadataPatch): MetadataPatch {
  return Object.fromEntries(Object.entries(patch).map(([key, value]) => [key, value === '' ? null : value]));
}
