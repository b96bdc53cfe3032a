// Model cards, an extension: models of a tenant's own, at any provider that speaks one of three protocols. A card wins over
// what the installation itself knows of the same model id. Its key is given once and never shown again.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { pageOf, pageQuery, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const MODEL_PROTOCOLS = ['openai_responses', 'openai_chat_completions', 'anthropic_messages'] as const;
export const modelProtocol = z.enum(MODEL_PROTOCOLS);
export type ModelProtocol = z.infer<typeof modelProtocol>;

/** Down to a thousandth of a dollar, so that a token costs whole nano-dollars. */
const usdPerMillion = z
  .number()
  .min(0)
  .max(1_000_000)
  .multipleOf(0.001, 'at most three decimals: USD per million tokens');

export const modelPrice = z
  .object({
    input: usdPerMillion,
    output: usdPerMillion,
    cache_read: usdPerMillion,
    cache_write: usdPerMillion,
  })
  .meta({ id: 'ModelPrice', description: 'USD per million tokens' });
export type ModelPrice = z.infer<typeof modelPrice>;

export const modelCard = z
  .object({
    id: idSchema('modelCard'),
    type: z.literal('model_card'),
    /** What agents call it. */
    model_id: z.string(),
    display_name: z.string(),
    protocol: modelProtocol,
    base_url: z.string(),
    /** What the provider calls it. */
    provider_model: z.string(),
    /** The last four characters of the key; null when the server asks for none. */
    api_key_last_four: z.string().nullable(),
    context_window: z.int().nullable(),
    max_output_tokens: z.int().nullable(),
    price: modelPrice.nullable(),
    metadata,
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'ModelCard' });
export type ModelCard = z.infer<typeof modelCard>;

const modelId = z
  .string()
  .regex(/^[A-Za-z0-9][\w.:/@-]{0,255}$/, 'expected 1 to 256 letters, digits, ".", "_", ":", "/", "@" or "-"')
  .meta({ example: 'our-llama' });
const baseUrl = z
  .url({ protocol: /^https?$/, error: 'expected an http(s) address such as "https://api.example.com/v1"' })
  .max(2_048)
  .refine((url) => !/[?#]|\/\/[^/]*@/.test(url), 'must have no query, fragment or user name')
  .meta({ example: 'https://api.example.com/v1' });
const apiKey = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[\x21-\x7e]+$/, 'expected printable ASCII characters without spaces');
const tokens = z.int().min(100).max(100_000_000);
const priceParam = z.object({
  input: usdPerMillion,
  output: usdPerMillion,
  /** Absent: what input costs. */
  cache_read: usdPerMillion.nullish(),
  cache_write: usdPerMillion.nullish(),
});
export type ModelPriceParam = z.infer<typeof priceParam>;

const settings = {
  display_name: z.string().min(1).max(255).nullish(),
  provider_model: z.string().min(1).max(256).nullish(),
  context_window: tokens.nullish(),
  max_output_tokens: tokens.nullish(),
  price: priceParam.nullish(),
  /** Whether the provider is asked before anything is kept; false for one that is not up yet. */
  test: z.boolean().default(true),
};

export const createModelCard = z
  .object({
    model_id: modelId,
    protocol: modelProtocol,
    base_url: baseUrl,
    api_key: apiKey.nullish(),
    metadata: metadata.optional(),
    ...settings,
  })
  .meta({ id: 'CreateModelCard' });
export type CreateModelCard = z.infer<typeof createModelCard>;

/** What is absent stays; null clears what can be without a value. */
export const updateModelCard = z
  .object({
    protocol: modelProtocol.optional(),
    base_url: baseUrl.optional(),
    api_key: apiKey.nullish(),
    metadata: metadataPatch.nullish(),
    ...settings,
  })
  .meta({ id: 'UpdateModelCard' });
export type UpdateModelCard = z.infer<typeof updateModelCard>;

export const MAX_MODEL_CARDS = 200;

const tag = 'Model cards';
const params = z.object({ model_card_id: idSchema('modelCard') });

export const modelCardRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/model_cards',
    operationId: 'createModelCard',
    summary: 'Add a model of your own, or a key of your own for a known one',
    tag,
    access: 'key',
    once: true,
    body: createModelCard,
    response: modelCard,
    errors: ['conflict'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/model_cards',
    operationId: 'listModelCards',
    summary: 'List model cards, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }),
    response: pageOf(modelCard),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/model_cards/{model_card_id}',
    operationId: 'retrieveModelCard',
    summary: 'Retrieve a model card',
    tag,
    access: 'key',
    params,
    response: modelCard,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/model_cards/{model_card_id}',
    operationId: 'updateModelCard',
    summary: 'Change a model card: sessions that run use it from their next model call on',
    tag,
    access: 'key',
    params,
    body: updateModelCard,
    response: modelCard,
    errors: ['not_found', 'unavailable'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/model_cards/{model_card_id}',
    operationId: 'deleteModelCard',
    summary: 'Delete a model card with its key',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('modelCard'), type: z.literal('model_card_deleted') }),
    errors: ['not_found'],
  }),
};
