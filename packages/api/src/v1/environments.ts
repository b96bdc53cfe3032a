// Environments over HTTP.
import { OPEN_CLOUD } from '@capstan/db/environments';
import { stores } from '@capstan/db/stores';
import {
  type CreateEnvironment,
  type EnvironmentConfig,
  environmentRoutes,
} from '@capstan/schema/environments';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountEnvironments(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, environmentRoutes.create, async ({ principal, body, claim, head, now }) => {
    const { environments, receipts } = stores(db, principal.tenantId);
    const input = {
      name: body.name,
      description: body.description ?? null,
      config: toConfig(body.config),
      metadata: body.metadata ?? {},
      scope: body.scope ?? 'organization',
      now,
    };
    return answer(await receipts.once(claim, now, (kept) => environments.create(input, kept)), head);
  });

  mount(surface, environmentRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).environments.list({
      limit: query.limit,
      page: query.page,
      includeArchived: query.include_archived,
    }),
  );

  mount(surface, environmentRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).environments.retrieve(params.environment_id),
  );
}

/** The schema lets no package through, so there are none to keep. */
function toConfig(param: CreateEnvironment['config']): EnvironmentConfig {
  if (param?.type !== 'cloud' || param.networking?.type !== 'limited') return OPEN_CLOUD;
  const { allowed_hosts, allow_mcp_servers, allow_package_managers } = param.networking;
  return {
    ...OPEN_CLOUD,
    networking: {
      type: 'limited',
      allowed_hosts: allowed_hosts ?? [],
      allow_mcp_servers: allow_mcp_servers ?? false,
      allow_package_managers: allow_package_managers ?? false,
    },
  };
}
