// Models that agents can name here (spec §5.16): those of the installation that somebody answers for, and the tenant's own.
import { z } from 'zod';
import { queryInteger, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

const lifecycle = z.enum(['active', 'deprecated', 'retired']);

export const modelInfo = z
  .object({
    id: z.string(),
    type: z.literal('model'),
    display_name: z.string(),
    created_at: timestamp.meta({ description: 'When its figures were last looked up or set.' }),
    lifecycle,
    deprecated_at: timestamp.nullable(),
    retires_at: timestamp.nullable(),
    line: z.enum(['haiku', 'sonnet', 'opus', 'fable', 'mythos']).nullable(),
    max_input_tokens: z.int().nullable(),
    max_tokens: z.int().nullable(),
    allowed_fallback_models: z.array(z.string()).nullable(),
    /** Not known: providers tell what their models can do, and not this server. */
    capabilities: z.null(),
  })
  .meta({ id: 'Model' });
export type ModelInfo = z.infer<typeof modelInfo>;

const tag = 'Models';
const cursor = z.string().min(1).max(256).optional();

export const modelRoutes = {
  list: defineRoute({
    method: 'get',
    path: '/v1/models',
    operationId: 'listModels',
    summary: "List the models that agents can name, the tenant's own first",
    tag,
    access: 'key',
    query: z.object({
      limit: queryInteger({ min: 1, max: 1_000 }).default(20),
      after_id: cursor,
      before_id: cursor,
      lifecycle: z.array(lifecycle).optional(),
    }),
    response: z.object({
      data: z.array(modelInfo),
      has_more: z.boolean(),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
    }),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/models/{model_id}',
    operationId: 'retrieveModel',
    summary: 'Retrieve what is known of a model',
    tag,
    access: 'key',
    params: z.object({ model_id: z.string().min(1).max(256) }),
    response: modelInfo,
    errors: ['not_found'],
  }),
};
