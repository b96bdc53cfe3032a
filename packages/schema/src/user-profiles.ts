// User profiles: whom a platform serves with this server's agents (spec §5.13). The SDK's two namespaces, `userProfiles` and
// `beta.userProfiles`, call the same paths and expect other members: every profile has those of both. `external_id` and
// `external_user_onboarded_at` are the earlier names of `reference_id` and `onboarded_at` of its details.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { order, pageOf, pageQuery, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

/** A cursor of the order by name has a name in it. */
const MAX_CURSOR_CHARS = 8192;
/** How far ahead of this server's clock the platform's may be. */
export const AHEAD_MS = 60_000;

const accessType = z.enum(['application', 'passthrough']);
const accountStatus = z.enum(['active', 'suspended', 'blocked']);
const entityType = z.enum(['individual', 'business', 'non_profit', 'government']);
const enforcementStatus = z.enum(['unrestricted', 'pending', 'restricted', 'banned']);
const programStatus = z.enum(['active', 'pending', 'rejected']);
const text = z.string().min(1).max(255);
const country = z
  .string()
  .regex(/^[A-Z]{2}$/, 'expected two upper-case letters, e.g. "US"')
  .meta({ example: 'US' });

const details = z.object({
  account_status: accountStatus.nullable(),
  country: z.string().nullable(),
  email_hash: z.string().nullable(),
  entity_type: entityType.nullable(),
  name_hash: z.string().nullable(),
  onboarded_at: timestamp.nullable(),
  reference_id: z.string().nullable(),
});
export type UserDetails = z.infer<typeof details>;

const detailsParam = z
  .object({
    account_status: accountStatus.nullish(),
    country: country.nullish(),
    email_hash: text.nullish(),
    entity_type: entityType.nullish(),
    name_hash: text.nullish(),
    onboarded_at: timestamp.nullish(),
    reference_id: text.nullish(),
  })
  .meta({ id: 'ExternalUserDetailsParam' });
export type UserDetailsParam = z.infer<typeof detailsParam>;

const tiers = z.record(z.string(), z.object({ status: z.enum(['active', 'inactive']) }));

export const userProfile = z
  .object({
    id: idSchema('userProfile'),
    type: z.literal('user_profile'),
    name: z.string().nullable(),
    access_type: accessType,
    external_user_details: details,
    external_id: z.string().nullable(),
    external_user_onboarded_at: timestamp.nullable(),
    metadata,
    trust_grants: z.record(z.string(), z.object({ status: programStatus })).meta({
      description: "Always empty: nobody grants programs on a server of one's own.",
    }),
    enforcement_status: enforcementStatus.meta({
      description: "Always `unrestricted`: nobody restricts users of a server of one's own.",
    }),
    enforcement_actions: z.array(
      z.object({
        id: z.string(),
        type: z.enum(['restriction', 'ban']),
        action: z.literal('verify').nullable(),
        expires_at: timestamp.nullable(),
        opened_at: timestamp,
        reason: z.enum([
          'unsupported_region',
          'fraud_or_abuse',
          'high_harm',
          'usage_policy_violation',
          'account_compromise',
          'unspecified',
        ]),
      }),
    ),
    programs: z.object({
      cyber: z
        .object({
          requirements: z.object({ data_retention: z.boolean(), human_review: z.boolean() }).nullable(),
          status: programStatus,
          tiers,
        })
        .nullable(),
      efs: z.object({ features: tiers, status: programStatus }).nullable(),
    }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'UserProfile' });
export type UserProfile = z.infer<typeof userProfile>;

const settings = {
  name: z.string().max(255).nullish(),
  external_user_details: detailsParam.nullish(),
  external_id: text.nullish(),
  external_user_onboarded_at: timestamp.nullish(),
};

export const createUserProfile = z
  .object({
    ...settings,
    access_type: accessType.nullish(),
    metadata: metadata
      .refine((pairs) => !Object.values(pairs).includes(''), 'values must not be empty')
      .optional(),
  })
  .meta({ id: 'CreateUserProfile' });
export type CreateUserProfile = z.infer<typeof createUserProfile>;

const detailsPatch = detailsParam.superRefine((given, context) => {
  for (const [name, value] of Object.entries(given)) {
    const message = 'cannot be cleared; leave it out to keep what is known';
    if (value === null) context.addIssue({ code: 'custom', path: [name], message });
  }
});

/** What is absent stays as it is; an empty value removes a pair of the metadata. */
export const updateUserProfile = z
  .object({
    ...settings,
    external_user_details: detailsPatch.optional(),
    access_type: accessType.nullish(),
    metadata: metadataPatch.nullish(),
  })
  .meta({ id: 'UpdateUserProfile' });
export type UpdateUserProfile = z.infer<typeof updateUserProfile>;

const tag = 'User profiles';
const params = z.object({ user_profile_id: idSchema('userProfile') });

export const userProfileRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/user_profiles',
    operationId: 'createUserProfile',
    summary: 'Create a user profile',
    tag,
    access: 'key',
    once: true,
    body: createUserProfile,
    response: userProfile,
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/user_profiles',
    operationId: 'listUserProfiles',
    summary: 'List user profiles: newest first, or by name with those that have none at the end',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({
      page: z.string().min(1).max(MAX_CURSOR_CHARS).optional(),
      order: order.default('desc'),
      order_by: z.enum(['created_at', 'name']).default('created_at'),
      enforcement_status: z.array(enforcementStatus).optional(),
    }),
    response: pageOf(userProfile),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/user_profiles/{user_profile_id}',
    operationId: 'retrieveUserProfile',
    summary: 'Retrieve a user profile',
    tag,
    access: 'key',
    params,
    response: userProfile,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/user_profiles/{user_profile_id}',
    operationId: 'updateUserProfile',
    summary: 'Change a user profile',
    tag,
    access: 'key',
    params,
    body: updateUserProfile,
    response: userProfile,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/user_profiles/{user_profile_id}',
    operationId: 'deleteUserProfile',
    summary: 'Delete a user profile',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('userProfile'), type: z.literal('user_profile_deleted') }),
    errors: ['not_found'],
  }),
};
