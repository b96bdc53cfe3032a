// A tenant's own models, from the control plane to the harness.
import type { Database } from '@capstan/db/database';
import { type ModelCardRow, openModelKey } from '@capstan/db/model-cards';
import { stores } from '@capstan/db/stores';
import { priceFrom } from '@capstan/harness/model-cards';
import {
  type KnownModels,
  nothingKnown,
  type TenantModel,
  type TenantModelSource,
} from '@capstan/harness/tenant-models';
import type { ModelPrice, ModelProtocol } from '@capstan/schema/model-cards';
import type { Price } from '@capstan/session/harness';
import type { Reach } from '@capstan/shared/safe-fetch';
import type { Sealer } from '@capstan/shared/seal';

const DIALECTS: Record<ModelProtocol, TenantModel['dialect']> = {
  openai_responses: 'responses',
  openai_chat_completions: 'chat',
  anthropic_messages: 'messages',
};

interface ModelDeps {
  db: Database;
  sealer: Sealer;
  reach: Reach;
}

export function tenantModelsOf({ db, sealer, reach }: ModelDeps, tenantId: string): TenantModelSource {
  const { modelCards } = stores(db, tenantId);
  return {
    reach,
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

const MOST_TENANTS = 1_000;
const known = new Map<string, KnownModels>();

/** What this process has read of a tenant's cards, whichever session asked: waking one asks nobody. */
export function knownOf(tenantId: string): KnownModels {
  const held = known.get(tenantId) ?? nothingKnown();
  if (known.size >= MOST_TENANTS && !known.has(tenantId)) known.clear();
  known.set(tenantId, held);
  return held;
}
