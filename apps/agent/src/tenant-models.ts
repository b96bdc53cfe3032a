// A tenant's own models, from the control plane to the harness.
import { openD1 } from '@capstan/db/d1';
import { type ModelCardRow, openModelKey } from '@capstan/db/model-cards';
import { stores } from '@capstan/db/stores';
import { priceFrom } from '@capstan/harness/model-cards';
import type { TenantModel, TenantModelSource } from '@capstan/harness/tenant-models';
import type { ModelPrice, ModelProtocol } from '@capstan/schema/model-cards';
import type { Price } from '@capstan/session/harness';
import { reachFrom } from '@capstan/shared/reach-config';
import type { Sealer } from '@capstan/shared/seal';
import type { Env } from './env.ts';

const DIALECTS: Record<ModelProtocol, TenantModel['dialect']> = {
  openai_responses: 'responses',
  openai_chat_completions: 'chat',
  anthropic_messages: 'messages',
};

export function tenantModelsOf(
  env: Omit<Env, 'SESSIONS'>,
  tenantId: string,
  sealer: Sealer,
): TenantModelSource {
  const { modelCards } = stores(openD1(env.DB), tenantId);
  return {
    reach: reachFrom(env).reach,
    load: async () => (await modelCards.all()).map((row) => toTenantModel(row, sealer)),
  };
}

function toTenantModel(row: ModelCardRow, sealer: Sealer): TenantModel {
  return {
    id: row.id,
    modelId: row.modelId,
    dialect: DIALECTS[row.protocol],
    baseUrl: row.baseUrl,
    model: row.providerModel,
    contextWindow: row.contextWindow,
    maxOutputTokens: row.maxOutputTokens,
    price: row.price === null ? null : toPrice(row.price),
    openKey: () => openModelKey(sealer, row),
  };
}

function toPrice({ input, output, cache_read, cache_write }: ModelPrice): Price {
  return priceFrom({ input, output, cacheRead: cache_read, cacheWrite: cache_write, asOf: '' });
}
