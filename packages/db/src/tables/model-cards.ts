// Models of tenants' own.
import type { Metadata } from '@capstan/schema/metadata';
import type { ModelPrice, ModelProtocol } from '@capstan/schema/model-cards';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

export const modelCards = sqliteTable(
  'model_cards',
  {
    id: text().primaryKey(),
    tenantId: text('tenant_id').notNull(),
    modelId: text('model_id').notNull(),
    displayName: text('display_name').notNull(),
    protocol: text().$type<ModelProtocol>().notNull(),
    baseUrl: text('base_url').notNull(),
    providerModel: text('provider_model').notNull(),
    /** Sealed for this row; null: the server asks for none. */
    apiKey: text('api_key'),
    apiKeyLastFour: text('api_key_last_four'),
    contextWindow: integer('context_window'),
    maxOutputTokens: integer('max_output_tokens'),
    price: text({ mode: 'json' }).$type<ModelPrice>(),
    metadata: text({ mode: 'json' }).$type<Metadata>().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [
    index('model_cards_tenant').on(t.tenantId, t.id),
    uniqueIndex('model_cards_model').on(t.tenantId, t.modelId),
  ],
);
