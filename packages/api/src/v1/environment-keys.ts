// Keys of self-hosted environments over HTTP: made here, shown once.
import { stores } from '@capstan/db/stores';
import { ENVIRONMENT_KEY_PREFIX, environmentKeyRoutes } from '@capstan/schema/environment-keys';
import { sha256Hex, toBase64Url } from '../auth/digest.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

const SECRET_BYTES = 32;

export function mountEnvironmentKeys(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, environmentKeyRoutes.create, async ({ principal: { tenantId }, params, body, now }) => {
    const key = newKey();
    const made = await stores(db, tenantId).environmentKeys.create({
      environmentId: params.environment_id,
      name: body.name,
      hash: await sha256Hex(key),
      prefix: key.slice(0, ENVIRONMENT_KEY_PREFIX.length + 4),
      lastFour: key.slice(-4),
      now,
    });
    return { ...made, key };
  });

  mount(surface, environmentKeyRoutes.list, async ({ principal: { tenantId }, params, query }) => {
    const { environments, environmentKeys } = stores(db, tenantId);
    const { id } = await environments.retrieve(params.environment_id);
    return environmentKeys.list(id, query);
  });

  mount(surface, environmentKeyRoutes.delete, async ({ principal: { tenantId }, params }) => {
    await stores(db, tenantId).environmentKeys.delete(params.environment_id, params.key_id);
    return { id: params.key_id, type: 'environment_key_deleted' as const };
  });
}

function newKey(): string {
  return ENVIRONMENT_KEY_PREFIX + toBase64Url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}
