// What model calls took, over HTTP.
import { stores } from '@capstan/db/stores';
import { usageRoutes } from '@capstan/schema/usage';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountUsage(surface: Surface): void {
  const { db } = surface.ports;

  mount(surface, usageRoutes.summarize, ({ principal, query }) =>
    stores(db, principal.tenantId).ledger.summary({
      from: toInstant(query.from),
      to: toInstant(query.to),
      groupBy: query.group_by,
      limit: query.limit,
      page: query.page,
    }),
  );
}

function toInstant(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}
