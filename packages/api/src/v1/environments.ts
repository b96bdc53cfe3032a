// Environments over HTTP.
import type { EnvironmentChange } from '@capstan/db/environments';
import { stores } from '@capstan/db/stores';
import { type Environment, environmentRoutes, type UpdateEnvironment } from '@capstan/schema/environments';
import type { Claim } from '@capstan/schema/idempotency';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { changeConfig, toConfig, withMachine } from './environment-config.ts';

export function mountEnvironments(surface: Surface): void {
  const { db, work } = surface.ports;
  const { keepImage, ringPool } = keepersOf(surface);

  mount(surface, environmentRoutes.create, async ({ principal, body, claim, head, now }) => {
    const { environments, receipts } = stores(db, principal.tenantId);
    const input = {
      name: body.name,
      description: body.description ?? null,
      config: toConfig(body.config, body.capstan?.machine),
      metadata: body.metadata ?? {},
      scope: body.scope ?? 'organization',
      warmSandboxes: body.capstan?.warm_sandboxes ?? 0,
      now,
    };
    const create = async (kept?: Claim) => {
      const made = await environments.create(input, kept);
      if (input.warmSandboxes > 0) await ringPool(principal.tenantId, made.id);
      return keepImage(principal.tenantId, made);
    };
    return answer(await receipts.once(claim, now, create), head);
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

  mount(surface, environmentRoutes.update, async ({ principal, params, body, now }) => {
    const { environments } = stores(db, principal.tenantId);
    const change = toChange(body);
    const changed = await environments.update(params.environment_id, change, now);
    // Also when none is wanted any more, and when there are to be others.
    if (change.warmSandboxes !== undefined || changed.capstan.warm_sandboxes > 0)
      await ringPool(principal.tenantId, changed.id);
    return keepImage(principal.tenantId, changed);
  });

  mount(surface, environmentRoutes.archive, async ({ principal, params, now }) => {
    const { environments } = stores(db, principal.tenantId);
    const archived = await environments.archive(params.environment_id, now);
    if (archived.capstan.warm_sandboxes > 0) await ringPool(principal.tenantId, archived.id);
    return archived;
  });

  mount(surface, environmentRoutes.delete, async ({ principal, params, now }) => {
    const { tenantId } = principal;
    const environmentId = params.environment_id;
    const warm = await stores(db, tenantId).environments.delete(environmentId, now);
    if (warm > 0) await ringPool(tenantId, environmentId);
    await work.dropWork({ tenantId, environmentId });
    return { id: params.environment_id, type: 'environment_deleted' as const };
  });
}

/** Those who are told that something is owed: it stands in the row and is found later, should nobody be told now. */
function keepersOf({ ports: { images, pools, logger } }: Surface) {
  return {
    async keepImage(tenantId: string, made: Environment): Promise<Environment> {
      const environment = { tenantId, environmentId: made.id };
      if (made.capstan.image?.state === 'building')
        await images.keepImage(environment).catch((error: unknown) => {
          logger.warn('image.keeper_away', { environment_id: made.id, message: String(error) });
        });
      return made;
    },
    async ringPool(tenantId: string, environmentId: string): Promise<void> {
      await pools.ringPool({ tenantId, environmentId }).catch((error: unknown) => {
        logger.warn('pool.away', { environment_id: environmentId, message: String(error) });
      });
    },
  };
}

function toChange(body: UpdateEnvironment): EnvironmentChange {
  const { config, metadata, scope, name, description, capstan } = body;
  return {
    name: name ?? undefined,
    description,
    scope: scope ?? undefined,
    expected: capstan?.version ?? undefined,
    warmSandboxes: capstan?.warm_sandboxes ?? undefined,
    config: (current) => withMachine(capstan?.machine, config ? changeConfig(config, current) : current),
    // On an environment the empty string deletes a pair, too.
    metadata: metadata
      ? Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value || null]))
      : undefined,
  };
}
