// Environments over HTTP.
import type { EnvironmentChange } from '@capstan/db/environments';
import { stores } from '@capstan/db/stores';
import { environmentRoutes, type UpdateEnvironment } from '@capstan/schema/environments';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { changeConfig, toConfig } from './environment-config.ts';

export function mountEnvironments(surface: Surface): void {
  const { db, work } = surface.ports;

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

  mount(surface, environmentRoutes.update, ({ principal, params, body, now }) =>
    stores(db, principal.tenantId).environments.update(params.environment_id, toChange(body), now),
  );

  mount(surface, environmentRoutes.archive, ({ principal, params, now }) =>
    stores(db, principal.tenantId).environments.archive(params.environment_id, now),
  );

  mount(surface, environmentRoutes.delete, async ({ principal, params, now }) => {
    const { tenantId } = principal;
    const environmentId = params.environment_id;
    await stores(db, tenantId).environments.delete(environmentId, now);
    await work.dropWork({ tenantId, environmentId });
    return { id: params.environment_id, type: 'environment_deleted' as const };
  });
}

function toChange({ config, metadata, scope, name, description }: UpdateEnvironment): EnvironmentChange {
  return {
    name: name ?? undefined,
    description,
    scope: scope ?? undefined,
    config: config ? (current) => changeConfig(config, current) : undefined,
    // On an environment the empty string deletes a pair, too.
    metadata: metadata
      ? Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value || null]))
      : undefined,
  };
}
