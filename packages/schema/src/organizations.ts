// The organization that a key belongs to: the tenant, which is its one workspace, too.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { defineRoute } from './route.ts';

export const organization = z
  .object({ id: idSchema('tenant'), name: z.string(), type: z.literal('organization') })
  .meta({ id: 'Organization' });
export type Organization = z.infer<typeof organization>;

/** The id of a tenant's one workspace. */
export function workspaceOf(tenantId: string): string {
  return `wrkspc_${tenantId.slice(tenantId.indexOf('_') + 1)}`;
}

export const organizationRoutes = {
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/organizations/me',
    operationId: 'retrieveOrganization',
    summary: 'Retrieve the organization that the key belongs to',
    tag: 'Organization',
    access: 'key',
    response: organization,
  }),
};
