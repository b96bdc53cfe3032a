// Versions of environments over HTTP.
import { stores } from '@capstan/db/stores';
import { environmentVersionRoutes } from '@capstan/schema/environment-versions';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountEnvironmentVersions(surface: Surface): void {
  mount(surface, environmentVersionRoutes.list, async ({ principal, params, query }) => {
    const { environments, environmentVersions } = stores(surface.ports.db, principal.tenantId);
    const { id } = await environments.retrieve(params.environment_id);
    return environmentVersions.list(id, query);
  });
}
