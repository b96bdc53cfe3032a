// The warm pool of an environment over HTTP: how many sandboxes wait, and what they cost.
import { stores } from '@capstan/db/stores';
import { warmPoolRoutes } from '@capstan/schema/warm-pools';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountWarmPools(surface: Surface): void {
  const { db, pools } = surface.ports;

  mount(surface, warmPoolRoutes.retrieve, async ({ principal: { tenantId }, params }) => {
    const environmentId = params.environment_id;
    const { archived_at, capstan } = await stores(db, tenantId).environments.retrieve(environmentId);
    const { cpu = null, memory_mib: memoryMiB = null } = capstan.machine ?? {};
    const wanted = archived_at === null ? capstan.warm_sandboxes : 0;
    const [{ ready, starting, lastError }, price] = await Promise.all([
      pools.countPool({ tenantId, environmentId }),
      pools.priceOfPool(wanted, { cpu, memoryMiB }),
    ]);
    return {
      type: 'warm_pool' as const,
      environment_id: environmentId,
      wanted,
      ready,
      starting,
      last_error: lastError,
      price,
    };
  });
}
