// Dreams: what was said in sessions, and what a memory store says, made into a better memory store (spec §5.12). The work is
// done by a session of the platform's own, which anybody who may see the dream can follow.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { createdAtBounds, pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const MAX_DREAM_SESSIONS = 100;
const MAX_INSTRUCTIONS_CHARS = 4096;
const MAX_MODEL_CHARS = 256;

const status = z.enum(['pending', 'running', 'completed', 'failed', 'canceled']);
export type DreamStatus = z.infer<typeof status>;

/** What this server fails with; the vendor's limit on memory stores does not exist here. */
const errorType = z.enum([
  'timeout',
  'internal_error',
  'input_memory_store_too_large',
  'input_memory_store_unavailable',
  'input_session_unavailable',
]);
export type DreamErrorType = z.infer<typeof errorType>;

const error = z.object({ type: errorType, message: z.string() });
export type DreamError = z.infer<typeof error>;

const storeInput = z.object({ type: z.literal('memory_store'), memory_store_id: idSchema('memoryStore') });
const input = z
  .discriminatedUnion('type', [
    storeInput,
    z.object({
      type: z.literal('sessions'),
      session_ids: z.array(idSchema('session')).min(1).max(MAX_DREAM_SESSIONS),
    }),
  ])
  .meta({ id: 'DreamInput' });
export type DreamInput = z.infer<typeof input>;

const outputBehavior = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('create_new') }),
    z.object({ type: z.literal('update_existing'), memory_store_id: idSchema('memoryStore') }),
  ])
  .meta({ id: 'DreamOutputBehavior' });
export type DreamOutputBehavior = z.infer<typeof outputBehavior>;

const tokens = z.int().min(0);
const usage = z.object({
  input_tokens: tokens,
  output_tokens: tokens,
  cache_read_input_tokens: tokens,
  cache_creation_input_tokens: tokens,
});
export type DreamUsage = z.infer<typeof usage>;

const model = z.object({ id: z.string(), speed: z.literal('standard').optional() });
export type DreamModel = z.infer<typeof model>;

export const dream = z
  .object({
    id: idSchema('dream'),
    type: z.literal('dream'),
    status,
    inputs: z.array(input),
    outputs: z.array(storeInput),
    model,
    instructions: z.string().nullable(),
    output_behavior: outputBehavior,
    session_id: idSchema('session').nullable(),
    usage,
    error: error.nullable(),
    created_at: timestamp,
    ended_at: timestamp.nullable(),
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'Dream' });
export type Dream = z.infer<typeof dream>;

const modelId = z.string().min(1).max(MAX_MODEL_CHARS).meta({ example: 'claude-sonnet-4-6' });
const speed = z.enum(['standard', 'fast']).refine((given) => given === 'standard', {
  message: 'dreams are made at "standard" speed only; leave it out',
});

export const createDream = z
  .object({
    inputs: z.array(input).superRefine((given, context) => {
      for (const type of ['memory_store', 'sessions'] as const) {
        if (given.filter((one) => one.type === type).length === 1) continue;
        context.addIssue({ code: 'custom', message: `has to have exactly one entry of type ${type}` });
      }
      for (const [index, one] of given.entries()) {
        if (one.type !== 'sessions' || new Set(one.session_ids).size === one.session_ids.length) continue;
        context.addIssue({ code: 'custom', path: [index, 'session_ids'], message: 'names a session twice' });
      }
    }),
    model: z.union([modelId, z.object({ id: modelId, speed: speed.nullish() })]),
    instructions: z.string().min(1).max(MAX_INSTRUCTIONS_CHARS).nullish(),
    output_behavior: outputBehavior.nullish(),
  })
  .meta({ id: 'CreateDream' });
export type CreateDream = z.infer<typeof createDream>;

export interface DreamAddress {
  tenantId: string;
  dreamId: string;
}

/** What keeps dreams going: a clock for each. */
export interface DreamClocks {
  /** A dream is about to be written: once it is, its clock finds it, also when nobody comes to say so. */
  expectDream(address: DreamAddress): Promise<void>;
  /** What its clock goes by was written. */
  lookAtDream(address: DreamAddress): Promise<void>;
}

const tag = 'Dreams';
const params = z.object({ dream_id: idSchema('dream') });
const one = { tag, access: 'key', params, response: dream } as const;

export const dreamRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/dreams',
    operationId: 'createDream',
    summary: 'Start a dream: a memory store, reorganized by what was said in sessions',
    tag,
    access: 'key',
    once: true,
    body: createDream,
    response: dream,
    errors: ['not_found', 'held'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/dreams',
    operationId: 'listDreams',
    summary: 'List dreams, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({
      statuses: z.array(status).optional(),
      include_archived: queryBoolean.default(false),
      ...createdAtBounds,
    }),
    response: pageOf(dream),
  }),
  retrieve: defineRoute({
    ...one,
    method: 'get',
    path: '/v1/dreams/{dream_id}',
    operationId: 'retrieveDream',
    summary: 'Retrieve a dream',
    errors: ['not_found'],
  }),
  cancel: defineRoute({
    ...one,
    method: 'post',
    path: '/v1/dreams/{dream_id}/cancel',
    operationId: 'cancelDream',
    summary: 'Cancel a dream that has not ended: what it has written stays',
    errors: ['not_found'],
  }),
  archive: defineRoute({
    ...one,
    method: 'post',
    path: '/v1/dreams/{dream_id}/archive',
    operationId: 'archiveDream',
    summary: 'Archive a dream that has ended: lists leave it out',
    errors: ['not_found'],
  }),
};
