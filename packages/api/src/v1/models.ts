// Models over HTTP: the tenant's own by their cards, then those that the installation knows and somebody answers for.
import type { ModelCardRow } from '@capstan/db/model-cards';
import { stores } from '@capstan/db/stores';
import { toTimestamp } from '@capstan/db/timestamp';
import { ApiError } from '@capstan/schema/error';
import { type ModelInfo, modelRoutes } from '@capstan/schema/models';
import type { KnownModel } from '@capstan/session/service';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

const LINES = ['haiku', 'sonnet', 'opus', 'fable', 'mythos'] as const;

export function mountModels(surface: Surface): void {
  const { db, sessions } = surface.ports;

  const all = async (tenantId: string): Promise<ModelInfo[]> => {
    const [cards, known] = await Promise.all([stores(db, tenantId).modelCards.all(), sessions.models()]);
    const own = new Set(cards.map(({ modelId }) => modelId));
    return [...cards.map(fromCard), ...known.filter(({ id }) => !own.has(id)).map(fromKnown)];
  };

  mount(surface, modelRoutes.list, async ({ principal, query }) => {
    const { limit, after_id, before_id, lifecycle } = query;
    if (after_id !== undefined && before_id !== undefined)
      throw new ApiError('invalid_request', 'after_id: cannot be combined with before_id; send one of them');
    const models = (await all(principal.tenantId)).filter(
      (model) => lifecycle?.includes(model.lifecycle) ?? true,
    );
    const { data, hasMore } = cut(models, { limit, after_id, before_id });
    return { data, has_more: hasMore, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
  });

  mount(surface, modelRoutes.retrieve, async ({ principal, params }) => {
    const model = (await all(principal.tenantId)).find(({ id }) => id === params.model_id);
    if (model) return model;
    throw new ApiError('not_found', `No model ${params.model_id}: GET /v1/models lists those that are known`);
  });
}

interface Cut {
  limit: number;
  after_id?: string | undefined;
  before_id?: string | undefined;
}

/** Refuses (`invalid_request`) an id that is not in the list: from its start on, everything would come twice. */
function cut(
  models: ModelInfo[],
  { limit, after_id, before_id }: Cut,
): { data: ModelInfo[]; hasMore: boolean } {
  const at = (name: string, id: string) => {
    const index = models.findIndex((model) => model.id === id);
    if (index >= 0) return index;
    throw new ApiError('invalid_request', `${name}: ${id} is not in this list; begin again without it`);
  };
  if (before_id !== undefined) {
    const end = at('before_id', before_id);
    const start = Math.max(0, end - limit);
    return { data: models.slice(start, end), hasMore: start > 0 };
  }
  const start = after_id === undefined ? 0 : at('after_id', after_id) + 1;
  return { data: models.slice(start, start + limit), hasMore: start + limit < models.length };
}

function fromCard(row: ModelCardRow): ModelInfo {
  return infoOf({
    id: row.modelId,
    name: row.displayName,
    createdAt: row.createdAt,
    contextWindow: row.contextWindow,
    maxOutputTokens: row.maxOutputTokens,
  });
}

function fromKnown({ id, asOf, contextWindow, maxOutputTokens }: KnownModel): ModelInfo {
  return infoOf({ id, name: id, createdAt: Date.parse(asOf), contextWindow, maxOutputTokens });
}

interface Facts {
  id: string;
  name: string;
  /** Epoch ms. */
  createdAt: number;
  contextWindow: number | null;
  maxOutputTokens: number | null;
}

function infoOf({ id, name, createdAt, contextWindow, maxOutputTokens }: Facts): ModelInfo {
  return {
    id,
    type: 'model',
    display_name: name,
    created_at: toTimestamp(createdAt),
    lifecycle: 'active',
    deprecated_at: null,
    retires_at: null,
    line: LINES.find((line) => id.startsWith(`claude-${line}-`)) ?? null,
    max_input_tokens: contextWindow,
    max_tokens: maxOutputTokens,
    allowed_fallback_models: null,
    capabilities: null,
  };
}
