// Vaults over HTTP.
import { stores } from '@capstan/db/stores';
import { vaultRoutes } from '@capstan/schema/vaults';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { tellSessions } from './vault-news.ts';

export function mountVaults(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, vaultRoutes.create, async ({ principal, body, claim, head, now }) => {
    const { vaults, receipts } = stores(db, principal.tenantId);
    const input = { displayName: body.display_name, metadata: body.metadata ?? {}, now };
    return answer(await receipts.once(claim, now, (kept) => vaults.create(input, kept)), head);
  });

  mount(surface, vaultRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).vaults.list({
      limit: query.limit,
      page: query.page,
      includeArchived: query.include_archived,
    }),
  );

  mount(surface, vaultRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).vaults.retrieve(params.vault_id),
  );

  mount(surface, vaultRoutes.update, ({ principal, params, body, now }) => {
    const change = { displayName: body.display_name ?? undefined, metadata: body.metadata ?? undefined };
    return stores(db, principal.tenantId).vaults.update(params.vault_id, change, now);
  });

  mount(surface, vaultRoutes.archive, async ({ principal: { tenantId }, params, now, logger }) => {
    const archived = await stores(db, tenantId).vaults.archive(params.vault_id, now);
    await tellSessions(surface.ports, { tenantId, vaultId: archived.id, now, logger });
    return archived;
  });

  mount(surface, vaultRoutes.delete, async ({ principal: { tenantId }, params, now, logger }) => {
    await stores(db, tenantId).vaults.delete(params.vault_id, now);
    await tellSessions(surface.ports, { tenantId, vaultId: params.vault_id, now, logger });
    return { id: params.vault_id, type: 'vault_deleted' as const };
  });
}
