// Webhook endpoints: where a tenant is told of what happens (spec §5.15, §10). The API has them for a few events of the
// organization; here they take every event. Deliveries and replays are our extension.
import { z } from 'zod';
import { idCursor, idSchema } from './ids.ts';
import { order, pageOf, pageQuery, queryInteger, timestamp } from './page.ts';
import { defineRoute } from './route.ts';
import { deliveryStatus, webhookDelivery } from './webhook-deliveries.ts';
import { webhookFilter } from './webhook-events.ts';

export const MAX_ENDPOINTS = 32;
/** Deliveries of one replay. */
export const MAX_REPLAYED = 10_000;
/** How long the secret before signs as well after a new one was made, unless the request says otherwise. */
export const OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 7 * 86_400;

export const webhookEndpoint = z
  .object({
    id: idSchema('webhookEndpoint'),
    url: z.string(),
    name: z.string(),
    description: z.string(),
    enabled_events: z.array(webhookFilter),
    state: z.enum(['enabled', 'disabled']),
    /** Empty: it is enabled, or was disabled by a request. */
    disabled_reason: z.string(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'WebhookEndpoint' });
export type WebhookEndpoint = z.infer<typeof webhookEndpoint>;

const signingSecret = z.string().meta({
  description: 'Signs what is sent to the endpoint. Shown here and never again.',
  example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
});

export const newWebhookEndpoint = webhookEndpoint
  .extend({ signing_secret: signingSecret })
  .meta({ id: 'NewWebhookEndpoint' });

const url = z.string().min(1).max(2048).meta({ example: 'https://example.com/webhooks' });
const name = z.string().max(256);
const description = z.string().max(4096);
const enabledEvents = z.array(webhookFilter).max(100);

export const createWebhookEndpoint = z
  .object({
    url,
    enabled_events: enabledEvents.min(1, 'name at least one event type, or "*"'),
    name: name.nullish(),
    description: description.nullish(),
  })
  .meta({ id: 'CreateWebhookEndpoint' });
export type CreateWebhookEndpoint = z.infer<typeof createWebhookEndpoint>;

/** What is absent, or null, stays as it is. */
export const updateWebhookEndpoint = z
  .object({
    url: url.nullish(),
    /** An empty list changes nothing. */
    enabled_events: enabledEvents.nullish(),
    name: name.nullish(),
    description: description.nullish(),
    /** What happens while it is disabled is not delivered later on. */
    state: z.enum(['enabled', 'disabled']).nullish(),
  })
  .meta({ id: 'UpdateWebhookEndpoint' });
export type UpdateWebhookEndpoint = z.infer<typeof updateWebhookEndpoint>;

const tag = 'Webhooks';
const ENDPOINT = '/v1/organizations/webhooks/{webhook_endpoint_id}';
const params = z.object({ webhook_endpoint_id: idSchema('webhookEndpoint') });
const deliveryParams = params.extend({ delivery_id: idSchema('webhookDelivery') });
const cursor = idCursor('webhookEndpoint').optional();

export const webhookRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/organizations/webhooks',
    operationId: 'createWebhookEndpoint',
    summary: 'Create a webhook endpoint',
    tag,
    access: 'key',
    once: true,
    body: createWebhookEndpoint,
    response: newWebhookEndpoint,
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/organizations/webhooks',
    operationId: 'listWebhookEndpoints',
    summary: 'List webhook endpoints by creation time',
    tag,
    access: 'key',
    query: z.object({
      limit: queryInteger({ min: 1, max: 100 }).default(20),
      order: order.default('desc'),
      after_id: cursor,
      before_id: cursor,
    }),
    response: z.object({
      data: z.array(webhookEndpoint),
      has_more: z.boolean(),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
    }),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: ENDPOINT,
    operationId: 'retrieveWebhookEndpoint',
    summary: 'Retrieve a webhook endpoint',
    tag,
    access: 'key',
    params,
    response: webhookEndpoint,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: ENDPOINT,
    operationId: 'updateWebhookEndpoint',
    summary: 'Change, enable or disable a webhook endpoint',
    tag,
    access: 'key',
    params,
    body: updateWebhookEndpoint,
    response: webhookEndpoint,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: ENDPOINT,
    operationId: 'deleteWebhookEndpoint',
    summary: 'Delete a webhook endpoint with its deliveries',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('webhookEndpoint'), type: z.literal('webhook_endpoint_deleted') }),
    errors: ['not_found'],
  }),
  regenerateSigningSecret: defineRoute({
    method: 'post',
    path: `${ENDPOINT}/regenerate_signing_secret`,
    operationId: 'regenerateWebhookSigningSecret',
    summary: 'Make a new signing secret; for a day the one before signs as well',
    tag,
    access: 'key',
    params,
    body: z.object({
      /** For how long the secret before signs as well. 0: it ends at once. */
      overlap_seconds: z.int().min(0).max(MAX_OVERLAP_SECONDS).nullish(),
    }),
    response: z.object({ signing_secret: signingSecret }),
    errors: ['not_found'],
  }),
  ping: defineRoute({
    method: 'post',
    path: `${ENDPOINT}/ping`,
    operationId: 'pingWebhookEndpoint',
    summary: 'Send the endpoint an event of type `webhook_endpoint.ping`',
    tag,
    access: 'key',
    params,
    response: webhookDelivery,
    errors: ['not_found'],
  }),
  replayRange: defineRoute({
    method: 'post',
    path: `${ENDPOINT}/replay`,
    operationId: 'replayWebhookEvents',
    summary: 'Deliver again what happened in a stretch of time, delivered before or not',
    tag,
    access: 'key',
    params,
    body: z.object({
      created_at: z.object({ gte: timestamp, lte: timestamp.nullish() }).meta({
        description: 'When the events happened. Without `lte`: up to now.',
      }),
    }),
    response: z.object({ type: z.literal('webhook_replay'), deliveries: z.int() }),
    errors: ['not_found'],
  }),
  listDeliveries: defineRoute({
    method: 'get',
    path: `${ENDPOINT}/deliveries`,
    operationId: 'listWebhookDeliveries',
    summary: 'List deliveries with their attempts, newest first',
    tag,
    access: 'key',
    params,
    query: pageQuery({ default: 20, max: 100 }).extend({
      statuses: z.array(deliveryStatus).optional(),
    }),
    response: pageOf(webhookDelivery),
    errors: ['not_found'],
  }),
  retrieveDelivery: defineRoute({
    method: 'get',
    path: `${ENDPOINT}/deliveries/{delivery_id}`,
    operationId: 'retrieveWebhookDelivery',
    summary: 'Retrieve a delivery',
    tag,
    access: 'key',
    params: deliveryParams,
    response: webhookDelivery,
    errors: ['not_found'],
  }),
  replay: defineRoute({
    method: 'post',
    path: `${ENDPOINT}/deliveries/{delivery_id}/replay`,
    operationId: 'replayWebhookDelivery',
    summary: 'Deliver the event of a delivery again',
    tag,
    access: 'key',
    params: deliveryParams,
    response: webhookDelivery,
    errors: ['not_found'],
  }),
};
