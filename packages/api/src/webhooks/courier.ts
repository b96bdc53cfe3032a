// The courier of one endpoint: makes its deliveries as they come due, a few at a time.
// 1. What an attempt brought is kept before the delivery is looked at again; a process that dies in between makes the
//    attempt once more, under the same event id (at least once).
// 2. An endpoint has a courier of its own: one that is slow delays nobody else.

import type { DueDelivery, Target, WebhookRound } from '@capstan/db/webhook-round';
import { secretIdentity } from '@capstan/db/webhooks';
import { workspaceOf } from '@capstan/schema/organizations';
import { isOfOrganization } from '@capstan/schema/webhook-events';
import type { Logger } from '@capstan/shared/logger';
import type { Sealer } from '@capstan/shared/seal';
import type { Sending } from './post.ts';
import { signedHeaders } from './signature.ts';
import { judge, type Outcome } from './verdict.ts';

export interface CourierPorts {
  tenantId: string;
  endpointId: string;
  round: WebhookRound;
  sealer: Pick<Sealer, 'open'>;
  post(url: string, sending: Sending): Promise<Outcome>;
  logger: Logger;
  /** Epoch ms. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
}

/** Under way at the same time. */
const AT_ONCE = 4;
const BATCH = 20;
/** A courier with more to do than this lets its host have a word in between. */
const SHIFT_MS = 60_000;

/** Makes what is due. Resolves with when there is more to do, epoch ms; null: nothing waits. */
export async function deliver(ports: CourierPorts): Promise<number | null> {
  const { round, now } = ports;
  for (const end = now() + SHIFT_MS; now() < end; ) {
    const target = await round.target();
    if (!target) {
      await round.drop();
      return null;
    }
    const due = await round.due(now(), BATCH);
    if (due.length === 0) return round.nextDue();
    await deliverAll(ports, target, due);
  }
  return now();
}

async function deliverAll(ports: CourierPorts, target: Target, due: DueDelivery[]): Promise<void> {
  let disabled = false;
  const work = async () => {
    for (let next = due.shift(); next !== undefined && !disabled; next = due.shift())
      disabled = (await attempt(ports, target, next)) || disabled;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Whether the endpoint is disabled because of it. */
async function attempt(ports: CourierPorts, target: Target, delivery: DueDelivery): Promise<boolean> {
  const { round, now, random, logger } = ports;
  const began = now();
  const outcome = await send(ports, target, delivery);
  const at = now();
  const [first] = delivery.attempts;
  const verdict = judge(outcome, {
    attempts: delivery.attempts.length + 1,
    firstAt: first === undefined ? began : Date.parse(first.at),
    failingSince: target.failingSince,
    now: at,
    jitter: random(),
  });
  const { status, dueAt, error, disable } = verdict;
  const answered = outcome.kind === 'answered' ? outcome : { status: null, excerpt: null };
  const attempted = {
    at: new Date(began).toISOString(),
    duration_ms: at - began,
    status_code: answered.status,
    error,
    response_excerpt: answered.excerpt,
  };
  const attempts = [...delivery.attempts, attempted];
  await round.record(delivery.id, { attempts, status, dueAt, failingSince: error === null ? null : began });
  if (disable !== null) await round.disable(disable, at);
  const fields = { delivery_id: delivery.id, attempt: attempts.length, status_code: answered.status };
  logger.info('webhook.attempted', { outcome: status, duration_ms: at - began, ...fields });
  return disable !== null;
}

async function send(ports: CourierPorts, target: Target, delivery: DueDelivery): Promise<Outcome> {
  const secrets = await secretsOf(ports, target).catch(() => null);
  // Of another root secret: it takes whoever runs the server to mend that.
  if (secrets === null) return { kind: 'failed', problem: 'the signing secret cannot be opened' };
  const body = payloadOf(delivery, ports.tenantId);
  const timestamp = Math.floor(ports.now() / 1_000);
  const headers = await signedHeaders(secrets, { id: delivery.eventId, timestamp, body });
  const about = { 'content-type': 'application/json', 'user-agent': 'Capstan-Webhooks/1' };
  return ports.post(target.url, { headers: { ...about, ...headers }, body });
}

/** The secret, and the one before it as long as that signs as well. */
function secretsOf({ tenantId, endpointId, sealer, now }: CourierPorts, target: Target): Promise<string[]> {
  const { secret, previousSecret, previousUntil } = target;
  const both = previousSecret !== null && previousUntil !== null && now() < previousUntil;
  const sealed = both ? [secret, previousSecret] : [secret];
  return Promise.all(sealed.map((one) => sealer.open(one, secretIdentity(tenantId, endpointId))));
}

export function payloadOf({ eventId, type, subject, happenedAt }: DueDelivery, tenantId: string): string {
  return JSON.stringify({
    type: 'event',
    id: eventId,
    created_at: new Date(happenedAt).toISOString(),
    data: {
      type,
      organization_id: tenantId,
      ...(!isOfOrganization(type) && { workspace_id: workspaceOf(tenantId) }),
      ...subject,
    },
  });
}
