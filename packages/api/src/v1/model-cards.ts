// Model cards over HTTP. A key is tested with its provider and sealed before anything is kept, and no answer has it.
import {
  type ModelCardContent,
  type ModelCardRow,
  openModelKey,
  sealModelKey,
} from '@capstan/db/model-cards';
import { stores } from '@capstan/db/stores';
import { ApiError } from '@capstan/schema/error';
import { patchMetadata } from '@capstan/schema/metadata';
import {
  type CreateModelCard,
  type ModelPrice,
  type ModelPriceParam,
  modelCardRoutes,
  type UpdateModelCard,
} from '@capstan/schema/model-cards';
import { newId } from '@capstan/shared/ids';
import { urlProblem } from '@capstan/shared/public-url';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';
import { probeModel } from './model-probe.ts';

export function mountModelCards(surface: Surface): void {
  const { db, sealer, reach } = surface.ports;

  mount(surface, modelCardRoutes.create, async ({ principal: { tenantId }, body, claim, head, now }) => {
    const { modelCards, receipts } = stores(db, tenantId);
    const made = await receipts.once(claim, now, async (kept) => {
      const apiKey = body.api_key ?? null;
      requirePublic(body.base_url, reach);
      if (body.test) await probeModel({ protocol: body.protocol, baseUrl: body.base_url, apiKey }, reach);
      const id = newId('modelCard', now);
      const sealed = apiKey === null ? null : await sealModelKey(sealer, { tenantId, id }, apiKey);
      const content = { ...contentOf(body), apiKey: sealed, apiKeyLastFour: lastFourOf(apiKey) };
      return modelCards.create({ id, modelId: body.model_id, ...content, now }, kept);
    });
    return answer(made, head);
  });

  mount(surface, modelCardRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).modelCards.list({ limit: query.limit, page: query.page }),
  );

  mount(surface, modelCardRoutes.retrieve, async ({ principal, params }) => {
    const { modelCards } = stores(db, principal.tenantId);
    return modelCards.retrieve(params.model_card_id);
  });

  mount(surface, modelCardRoutes.update, async ({ principal: { tenantId }, params, body, now }) => {
    const { modelCards } = stores(db, tenantId);
    const row = await modelCards.row(params.model_card_id);
    const changed = await modelCards.update(row, await revise(surface, row, body), now);
    if (changed) return changed;
    throw new ApiError('unavailable', 'The model card is being changed: try again', { retryAfterSeconds: 1 });
  });

  mount(surface, modelCardRoutes.delete, async ({ principal, params }) => {
    await stores(db, principal.tenantId).modelCards.delete(params.model_card_id);
    return { id: params.model_card_id, type: 'model_card_deleted' as const };
  });
}

async function revise(
  { ports: { sealer, reach } }: Surface,
  row: ModelCardRow,
  body: UpdateModelCard,
): Promise<ModelCardContent> {
  const { protocol = row.protocol, base_url: baseUrl = row.baseUrl } = body;
  requireKeyFor(row, body);
  if (body.base_url !== undefined) requirePublic(baseUrl, reach);
  const apiKey = body.api_key === undefined ? await openModelKey(sealer, row) : body.api_key;
  const asked = body.base_url !== undefined || body.protocol !== undefined || body.api_key !== undefined;
  if (asked && body.test) await probeModel({ protocol, baseUrl, apiKey }, reach);
  const stays = body.api_key === undefined;
  const sealed = apiKey === null ? null : await sealModelKey(sealer, row, apiKey);
  return {
    displayName: body.display_name === undefined ? row.displayName : (body.display_name ?? row.modelId),
    protocol,
    baseUrl,
    providerModel:
      body.provider_model === undefined ? row.providerModel : (body.provider_model ?? row.modelId),
    apiKey: stays ? row.apiKey : sealed,
    apiKeyLastFour: stays ? row.apiKeyLastFour : lastFourOf(apiKey),
    contextWindow: body.context_window === undefined ? row.contextWindow : body.context_window,
    maxOutputTokens: body.max_output_tokens === undefined ? row.maxOutputTokens : body.max_output_tokens,
    price: body.price === undefined ? row.price : priceOf(body.price),
    metadata: body.metadata ? patchMetadata(row.metadata, body.metadata) : row.metadata,
  };
}

/** A key goes only where it was given for: whoever changes the address has to know it. */
function requireKeyFor(row: ModelCardRow, { base_url, api_key }: UpdateModelCard): void {
  if (base_url === undefined || row.apiKey === null || api_key !== undefined) return;
  if (new URL(base_url).origin === new URL(row.baseUrl).origin) return;
  throw new ApiError(
    'invalid_request',
    'api_key: give the key for the new base_url, or null; the stored one is not sent to another host',
  );
}

function requirePublic(baseUrl: string, reach: { allowPrivate?: readonly string[] }): void {
  const problem = urlProblem(baseUrl, reach);
  if (problem !== null) throw new ApiError('invalid_request', `base_url: ${problem}`);
}

function contentOf(body: CreateModelCard): Omit<ModelCardContent, 'apiKey' | 'apiKeyLastFour'> {
  return {
    displayName: body.display_name ?? body.model_id,
    protocol: body.protocol,
    baseUrl: body.base_url,
    providerModel: body.provider_model ?? body.model_id,
    contextWindow: body.context_window ?? null,
    maxOutputTokens: body.max_output_tokens ?? null,
    price: priceOf(body.price ?? null),
    metadata: body.metadata ?? {},
  };
}

/** What is not said of the cache costs what input costs. */
function priceOf(price: ModelPriceParam | null): ModelPrice | null {
  if (price === null) return null;
  const { input, output } = price;
  return { input, output, cache_read: price.cache_read ?? input, cache_write: price.cache_write ?? input };
}

/** Of a short key nothing is told. */
function lastFourOf(apiKey: string | null): string | null {
  if (apiKey === null) return null;
  return apiKey.length < 12 ? '' : apiKey.slice(-4);
}
