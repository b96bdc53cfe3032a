// The organization of the caller's key.
import { readOrganization } from '@capstan/db/tenants';
import { organizationRoutes } from '@capstan/schema/organizations';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountOrganizations(surface: Surface): void {
  const { db } = surface.ports;
  mount(surface, organizationRoutes.retrieve, ({ principal }) => readOrganization(db, principal.tenantId));
}
