// Deployments over HTTP. What one names is looked at when it is saved, and again by each of its runs.
import type { DeploymentChange } from '@capstan/db/deployments';
import { stores } from '@capstan/db/stores';
import { type CreateDeployment, deploymentRoutes, type UpdateDeployment } from '@capstan/schema/deployments';
import { newId } from '@capstan/shared/ids';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { look, requireOpen } from './deployment-actions.ts';
import { keepResources, pinAgent, requireParts } from './deployment-parts.ts';

export function mountDeployments(surface: Surface): void {
  const { db } = surface.ports;
  mountWrites(surface);

  mount(surface, deploymentRoutes.list, ({ principal, query, now }) =>
    stores(db, principal.tenantId).deployments.list(
      {
        limit: query.limit,
        page: query.page,
        agentId: query.agent_id,
        status: query.status,
        includeArchived: query.include_archived ?? false,
        created: query,
      },
      now,
    ),
  );

  mount(surface, deploymentRoutes.retrieve, ({ principal, params, now }) =>
    stores(db, principal.tenantId).deployments.retrieve(params.deployment_id, now),
  );

  mount(surface, deploymentRoutes.delete, async ({ principal, params, now }) => {
    await stores(db, principal.tenantId).deployments.delete(params.deployment_id, now);
    return { id: params.deployment_id, type: 'deployment_deleted' as const };
  });
}

function mountWrites(surface: Surface): void {
  const { ports } = surface;
  const { db } = ports;

  mount(surface, deploymentRoutes.create, async ({ principal, body, claim, head, now, logger }) => {
    const { tenantId } = principal;
    const { deployments, receipts } = stores(db, tenantId);
    const made = await receipts.once(claim, now, async (kept) => {
      const address = { tenantId, deploymentId: newId('deployment', now) };
      const agent = await pinAgent(ports, address, body.agent);
      await requireParts(ports, { tenantId, agent, parts: body, now });
      const resources = await keepResources(ports, address, body.resources ?? []);
      if (body.schedule) await ports.clocks.expect(address);
      const input = { ...toSettings(body), id: address.deploymentId, agent, resources, now };
      return deployments.create(input, kept);
    });
    if (body.schedule) await look(surface, { tenantId, deploymentId: made.reply.id }, logger);
    return answer(made, head);
  });

  mount(surface, deploymentRoutes.update, async ({ principal: { tenantId }, params, body, now, logger }) => {
    const address = { tenantId, deploymentId: params.deployment_id };
    const { deployments } = stores(db, tenantId);
    const row = await deployments.row(address.deploymentId);
    requireOpen(row);
    const pinned = body.agent === undefined ? undefined : await pinAgent(ports, address, body.agent);
    const agent = pinned ?? { id: row.agentId, version: row.agentVersion };
    const budget = body.budget === undefined && pinned ? row.budget : body.budget;
    await requireParts(ports, { tenantId, agent, parts: { ...body, budget }, now });
    const change = toChange(body);
    if (pinned) change.agent = pinned;
    if (body.resources !== undefined)
      change.resources = await keepResources(ports, address, body.resources ?? []);
    if (body.schedule) await ports.clocks.expect(address);
    const changed = await deployments.update(address.deploymentId, change, now);
    if (body.schedule) await look(surface, address, logger);
    return changed;
  });
}

function toSettings(body: CreateDeployment) {
  return {
    name: body.name,
    description: body.description || null,
    environmentId: body.environment_id,
    initialEvents: body.initial_events,
    vaultIds: body.vault_ids ?? [],
    budget: body.budget ?? null,
    schedule: body.schedule ?? null,
    missedRuns: body.capstan?.missed_runs ?? ('skip' as const),
    metadata: body.metadata ?? {},
  };
}

/** Null clears what may be empty. */
function toChange(body: UpdateDeployment): DeploymentChange {
  const { name, description, environment_id, initial_events, vault_ids, budget, schedule, metadata } = body;
  return {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description: description || null }),
    ...(environment_id !== undefined && { environmentId: environment_id }),
    ...(initial_events !== undefined && { initialEvents: initial_events }),
    ...(vault_ids !== undefined && { vaultIds: vault_ids ?? [] }),
    ...(budget !== undefined && { budget }),
    ...(schedule !== undefined && { schedule }),
    ...(body.capstan?.missed_runs !== undefined && { missedRuns: body.capstan.missed_runs ?? 'skip' }),
    ...(metadata && { metadata }),
  };
}
