// Webhook endpoints over HTTP, their deliveries, and replays.
import { stores } from '@capstan/db/stores';
import { type EndpointChange, secretIdentity } from '@capstan/db/webhooks';
import { ApiError } from '@capstan/schema/error';
import { OVERLAP_SECONDS, type UpdateWebhookEndpoint, webhookRoutes } from '@capstan/schema/webhooks';
import { newId } from '@capstan/shared/ids';
import { urlProblem } from '@capstan/shared/public-url';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { newSigningSecret } from '../webhooks/signature.ts';

export function mountWebhooks(surface: Surface): void {
  mountEndpoints(surface);
  mountDeliveries(surface);
}

function mountEndpoints(surface: Surface): void {
  const { db, sealer, jobs, reach } = surface.ports;
  const storeOf = (tenantId: string) => stores(db, tenantId).webhooks;

  mount(surface, webhookRoutes.create, async ({ principal: { tenantId }, body, claim, head, now }) => {
    const { webhooks, receipts } = stores(db, tenantId);
    const url = requirePublic(body.url, reach.allowPrivate);
    await jobs.watchOutbox();
    // Kept with its receipt as well, the secret is sealed there too.
    const made = await receipts.once(claim, now, async (kept) => {
      const id = newId('webhookEndpoint', now);
      const secret = await sealer.seal(newSigningSecret(), secretIdentity(tenantId, id));
      const { name, description, enabled_events: enabledEvents } = body;
      const wanted = once(enabledEvents);
      const about = { name: name ?? '', description: description ?? '', enabledEvents: wanted };
      return webhooks.create({ id, url, ...about, secret, now }, kept);
    });
    const { endpoint, secret } = answer(made, head);
    return { ...endpoint, signing_secret: await sealer.open(secret, secretIdentity(tenantId, endpoint.id)) };
  });

  mount(surface, webhookRoutes.list, ({ principal, query }) => {
    const { limit, order, after_id: afterId, before_id: beforeId } = query;
    if (afterId !== undefined && beforeId !== undefined)
      throw new ApiError('invalid_request', 'before_id: give it or after_id, not both');
    return storeOf(principal.tenantId).list({ limit, order, afterId, beforeId });
  });

  mount(surface, webhookRoutes.retrieve, ({ principal, params }) =>
    storeOf(principal.tenantId).retrieve(params.webhook_endpoint_id),
  );

  mount(surface, webhookRoutes.update, async ({ principal, params, body, now }) => {
    if (body.state === 'enabled') await jobs.watchOutbox();
    const change = toChange(body, reach.allowPrivate);
    return storeOf(principal.tenantId).update(params.webhook_endpoint_id, change, now);
  });

  mount(surface, webhookRoutes.delete, async ({ principal, params: { webhook_endpoint_id: id } }) => {
    await storeOf(principal.tenantId).delete(id);
    return { id, type: 'webhook_endpoint_deleted' as const };
  });

  mount(surface, webhookRoutes.regenerateSigningSecret, async ({ principal, params, body, now }) => {
    const { tenantId } = principal;
    const id = params.webhook_endpoint_id;
    const signing_secret = newSigningSecret();
    const secret = await sealer.seal(signing_secret, secretIdentity(tenantId, id));
    const until = now + (body.overlap_seconds ?? OVERLAP_SECONDS) * 1_000;
    await storeOf(tenantId).replaceSecret(id, { secret, until, now });
    return { signing_secret };
  });
}

function mountDeliveries(surface: Surface): void {
  const { db, jobs } = surface.ports;

  mount(surface, webhookRoutes.ping, async ({ principal: { tenantId }, params, now }) => {
    const endpointId = params.webhook_endpoint_id;
    const delivery = await stores(db, tenantId).webhookDeliveries.ping(endpointId, now);
    await jobs.ringCourier({ tenantId, endpointId });
    return delivery;
  });

  mount(surface, webhookRoutes.replayRange, async ({ principal: { tenantId }, params, body, now }) => {
    const endpointId = params.webhook_endpoint_id;
    const { gte, lte } = body.created_at;
    const range = { from: Date.parse(gte), to: lte ? Date.parse(lte) : now, now };
    const deliveries = await stores(db, tenantId).webhookDeliveries.replayRange(endpointId, range);
    await jobs.ringCourier({ tenantId, endpointId });
    return { type: 'webhook_replay' as const, deliveries };
  });

  mount(surface, webhookRoutes.listDeliveries, async ({ principal, params, query }) => {
    const { webhooks, webhookDeliveries } = stores(db, principal.tenantId);
    const { id } = await webhooks.retrieve(params.webhook_endpoint_id);
    return webhookDeliveries.list(id, query);
  });

  mount(surface, webhookRoutes.retrieveDelivery, ({ principal, params }) =>
    stores(db, principal.tenantId).webhookDeliveries.retrieve(params.webhook_endpoint_id, params.delivery_id),
  );

  mount(surface, webhookRoutes.replay, async ({ principal: { tenantId }, params, now }) => {
    const { webhook_endpoint_id: endpointId, delivery_id: id } = params;
    const delivery = await stores(db, tenantId).webhookDeliveries.replay(endpointId, id, now);
    await jobs.ringCourier({ tenantId, endpointId });
    return delivery;
  });
}

/** The address that its name leads to is looked at when something is sent. */
function requirePublic(url: string, allowPrivate: readonly string[] = []): string {
  const problem = urlProblem(url, { allowPrivate });
  if (problem === null) return url;
  throw new ApiError('invalid_request', `url: ${problem}`);
}

function toChange(body: UpdateWebhookEndpoint, allowPrivate: readonly string[] = []): EndpointChange {
  const { url, name, description, enabled_events: enabledEvents, state } = body;
  return {
    ...(url != null && { url: requirePublic(url, allowPrivate) }),
    ...(name != null && { name }),
    ...(description != null && { description }),
    ...(enabledEvents != null && enabledEvents.length > 0 && { enabledEvents: once(enabledEvents) }),
    ...(state != null && { state }),
  };
}

/** Each event it names, where it is named first. */
function once<T>(events: readonly T[]): T[] {
  return [...new Set(events)];
}
