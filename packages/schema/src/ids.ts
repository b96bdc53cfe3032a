// Every id prefix in one table. Ids are opaque to clients; the prefixes are the API's own where it has one.
import { z } from 'zod';

export const ID_PREFIXES = {
  agent: 'agent',
  environment: 'env',
  session: 'sesn',
  thread: 'sthr',
  event: 'sevt',
  outcome: 'outc',
  workflowRun: 'wrun',
  workflowRunPhase: 'wphase',
  snapshot: 'snap',
  file: 'file',
  resource: 'sesrsc',
  webhookEvent: 'whe',
  webhookEndpoint: 'whep',
  webhookDelivery: 'whd',
  vault: 'vlt',
  credential: 'vcrd',
  skill: 'skill',
  skillVersion: 'skver',
  deployment: 'depl',
  deploymentRun: 'drun',
  memoryStore: 'memstore',
  memory: 'mem',
  memoryVersion: 'memver',
  modelCard: 'mcard',
  userProfile: 'uprof',
  dream: 'drm',
  request: 'req',
  apiKey: 'key',
  work: 'work',
  environmentKey: 'ekey',
  tenant: 'tnt',
  turn: 'turn',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

/** The id of a row that a page begins or ends at, which need not be there any more. */
export function idCursor(kind: IdKind) {
  return z.string().startsWith(`${ID_PREFIXES[kind]}_`).max(128);
}

/** 24 characters of Crockford base 32, time-ordered, behind the kind's prefix. */
export function idSchema(kind: IdKind) {
  return z
    .string()
    .min(1)
    .max(128)
    .meta({ example: `${ID_PREFIXES[kind]}_01k7p4z8m3q6r9t2v5x8a1c4` });
}
