// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { userProfileRoutes } from '@capstan/schema/user-profiles';
import { endpoint } from '../endpoint.ts';
import type { Transport } from '../transport.ts';

export function userProfiles(transport: Transport) {
  return {
    /** Create a user profile */
    create: endpoint<typeof userProfileRoutes.create>(transport, 'post', '/v1/user_profiles'),
    /** List user profiles: newest first, or by name with those that have none at the end */
    list: endpoint<typeof userProfileRoutes.list>(transport, 'get', '/v1/user_profiles'),
    /** Retrieve a user profile */
    retrieve: endpoint<typeof userProfileRoutes.retrieve>(transport, 'get', '/v1/user_profiles/{user_profile_id}'),
    /** Change a user profile */
    update: endpoint<typeof userProfileRoutes.update>(transport, 'post', '/v1/user_profiles/{user_profile_id}'),
    /** Delete a user profile */
    delete: endpoint<typeof userProfileRoutes.delete>(transport, 'delete', '/v1/user_profiles/{user_profile_id}'),
  };
}
