// What webhooks tell of (spec §10): the names, what a name carries beside the resource's id, and the payload.
// Some events have two names. They happen once, are kept under the first of the two, and are delivered under the name that
// an endpoint asks for.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { timestamp } from './page.ts';

const plain = [
  'session.created',
  'session.requires_action',
  'session.archived',
  'session.deleted',
  'session.updated',
  'session.status_rescheduled',
  'session.status_run_started',
  'session.status_idled',
  'session.status_terminated',
  'session.budget_reached',
  'session.outcome_evaluation_ended',
  'vault.created',
  'vault.archived',
  'vault.deleted',
  'agent.created',
  'agent.updated',
  'agent.archived',
  'agent.deleted',
  'deployment.created',
  'deployment.updated',
  'deployment.paused',
  'deployment.unpaused',
  'deployment.archived',
  'deployment.deleted',
  'deployment_run.started',
  'deployment_run.succeeded',
  'deployment_run.failed',
  'environment.created',
  'environment.updated',
  'environment.archived',
  'environment.deleted',
  'memory_store.created',
  'memory_store.archived',
  'memory_store.deleted',
] as const;
const ofThread = ['session.thread_created', 'session.thread_idled', 'session.thread_terminated'] as const;
const ofCredential = [
  'vault_credential.created',
  'vault_credential.archived',
  'vault_credential.deleted',
  'vault_credential.refresh_failed',
] as const;
const ofEnforcement = [
  'user_profile.enforcement_action_opened',
  'user_profile.enforcement_action_resolved',
] as const;
/** Of the organization, not of a workspace. */
const ofOrganization = [
  'user_profile.program_status_updated',
  'external_key.failed',
  'external_key.recovered',
] as const;

/** What happens, under the name that it is kept by. */
export const KEPT_EVENT_TYPES = [
  ...plain,
  ...ofThread,
  ...ofCredential,
  ...ofEnforcement,
  ...ofOrganization,
] as const;
export type KeptEventType = (typeof KEPT_EVENT_TYPES)[number];

const secondNames = ['session.pending', 'session.running', 'session.idled'] as const;
type SecondName = (typeof secondNames)[number];

/** The second names, and what they are second names of. */
export const SECOND_NAMES: Readonly<Record<SecondName, KeptEventType>> = {
  'session.pending': 'session.status_rescheduled',
  'session.running': 'session.status_run_started',
  'session.idled': 'session.status_idled',
};

/** Every name of an event. */
export const WEBHOOK_EVENT_TYPES = [...KEPT_EVENT_TYPES, ...secondNames] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

/** Sent when it is asked for, to one endpoint, whatever events that wants. Our extension. */
export const PING = 'webhook_endpoint.ping';

const families = [
  'session.*',
  'vault.*',
  'vault_credential.*',
  'agent.*',
  'deployment.*',
  'deployment_run.*',
  'environment.*',
  'memory_store.*',
  'user_profile.*',
  'external_key.*',
] as const;

/** What an endpoint may want: a name, or, our extension, every name of a family, or all. */
export const webhookFilter = z.enum([...WEBHOOK_EVENT_TYPES, ...families, '*']);
export type WebhookFilter = z.infer<typeof webhookFilter>;

/** The name under which an endpoint with these filters gets an event; null: it does not want it. */
export function wantedAs(
  filters: readonly WebhookFilter[],
  type: KeptEventType | typeof PING,
): WebhookEventType | null {
  if (type === PING) return null;
  if (filters.includes(type)) return type;
  const second = secondNames.find((name) => SECOND_NAMES[name] === type && filters.includes(name));
  if (second !== undefined) return second;
  const family = `${type.slice(0, type.indexOf('.'))}.*`;
  return filters.some((filter) => filter === '*' || filter === family) ? type : null;
}

/** What is told with an event, by its name. `id` is the resource's; `now` is epoch ms. */
export type WebhookNews = { id: string; now: number } & (
  | { type: (typeof plain)[number] | (typeof ofOrganization)[number] }
  | { type: (typeof ofThread)[number]; threadId: string }
  | { type: (typeof ofCredential)[number]; vaultId: string }
  | { type: (typeof ofEnforcement)[number]; enforcementActionId: string }
);

/** Told under an id that follows from what it tells of: announcing it again is harmless. */
export type Announcement = WebhookNews & {
  eventId: string;
  /** Of a session: how the run of a deployment that it is of ends with it; absent: it does not. */
  ends?: 'succeeded' | 'failed';
};

/** What of an event's payload is about its resource. */
export interface WebhookSubject {
  id: string;
  session_thread_id?: string;
  vault_id?: string;
  enforcement_action_id?: string;
}

export function subjectOf(news: WebhookNews): WebhookSubject {
  return {
    id: news.id,
    ...('threadId' in news && { session_thread_id: news.threadId }),
    ...('vaultId' in news && { vault_id: news.vaultId }),
    ...('enforcementActionId' in news && { enforcement_action_id: news.enforcementActionId }),
  };
}

/** Whether an event is of the organization, and of none of its workspaces. */
export function isOfOrganization(type: string): boolean {
  return type.startsWith('user_profile.') || type.startsWith('external_key.');
}

/** The body of a delivery. */
export const webhookEvent = z
  .object({
    type: z.literal('event'),
    id: idSchema('webhookEvent').meta({
      description: 'The same in every delivery of the event: what has it already has the event.',
    }),
    created_at: timestamp,
    data: z.object({
      type: z.enum([...WEBHOOK_EVENT_TYPES, PING]),
      id: z.string().meta({ description: 'Of what the event is about.' }),
      organization_id: z.string(),
      workspace_id: z.string().optional(),
      session_thread_id: z.string().optional(),
      vault_id: z.string().optional(),
      enforcement_action_id: z.string().optional(),
    }),
  })
  .meta({ id: 'WebhookEvent' });
export type WebhookEvent = z.infer<typeof webhookEvent>;
