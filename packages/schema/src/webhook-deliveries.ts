// Deliveries: one event on its way to one endpoint, with every attempt. Our extension.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { timestamp } from './page.ts';
import { PING, WEBHOOK_EVENT_TYPES } from './webhook-events.ts';

/** `pending`: to be tried, again or at all. `failed`: every attempt has failed. `dropped`: its endpoint was disabled. */
export const deliveryStatus = z.enum(['pending', 'delivered', 'failed', 'dropped']);
export type DeliveryStatus = z.infer<typeof deliveryStatus>;

export const deliveryAttempt = z.object({
  at: timestamp,
  duration_ms: z.int(),
  /** Null: there was no answer. */
  status_code: z.int().nullable(),
  /** Null: it was answered with a 2xx. */
  error: z.string().nullable(),
  response_excerpt: z.string().nullable().meta({
    description: 'How the answer began: at most 200 characters, without what looks like a secret.',
  }),
});
export type DeliveryAttempt = z.infer<typeof deliveryAttempt>;

export const webhookDelivery = z
  .object({
    id: idSchema('webhookDelivery'),
    type: z.literal('webhook_delivery'),
    webhook_endpoint_id: idSchema('webhookEndpoint'),
    event_id: idSchema('webhookEvent'),
    event_type: z.enum([...WEBHOOK_EVENT_TYPES, PING]),
    status: deliveryStatus,
    replay: z.boolean(),
    attempts: z.array(deliveryAttempt),
    next_attempt_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'WebhookDelivery' });
export type WebhookDelivery = z.infer<typeof webhookDelivery>;
