// Model cards of one tenant. A model id has one card at most: a unique index decides between requests that race.
import { ApiError, isApiError } from '@capstan/schema/error';
import type { Claim } from '@capstan/schema/idempotency';
import type { Metadata } from '@capstan/schema/metadata';
import {
  MAX_MODEL_CARDS,
  type ModelCard,
  type ModelPrice,
  type ModelProtocol,
} from '@capstan/schema/model-cards';
import type { Page } from '@capstan/schema/page';
import type { Sealer } from '@capstan/shared/seal';
import { and, asc, desc, eq, gt, lt, sql } from 'drizzle-orm';
import { insertWhen } from './conditional-insert.ts';
import { type Listing, seek, toPage } from './cursor.ts';
import { keepReceipt } from './receipts.ts';
import type { Scope } from './scope.ts';
import { modelCards } from './tables/model-cards.ts';
import { toTimestamp } from './timestamp.ts';

export type ModelCardRow = typeof modelCards.$inferSelect;

/** What a card says, with its key sealed for the row. */
export interface ModelCardContent {
  displayName: string;
  protocol: ModelProtocol;
  baseUrl: string;
  providerModel: string;
  apiKey: string | null;
  apiKeyLastFour: string | null;
  contextWindow: number | null;
  maxOutputTokens: number | null;
  price: ModelPrice | null;
  metadata: Metadata;
}

export interface NewModelCard extends ModelCardContent {
  id: string;
  modelId: string;
  /** Epoch ms. */
  now: number;
}

export class ModelCardStore {
  #scope: Scope;

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Refuses a model id that has a card (`conflict`), and one card too many. */
  async create({ now, ...given }: NewModelCard, claim?: Claim): Promise<ModelCard> {
    const { db, tenantId } = this.#scope;
    const row: ModelCardRow = { tenantId, ...given, createdAt: now, updatedAt: now };
    const made = toModelCard(row);
    const from = sql`FROM ${modelCards} WHERE ${this.#own(row.id)}`;
    const receipt = { id: row.id, reply: JSON.stringify(made), from, now };
    // The statement decides: requests that race cannot make one too many.
    const room = sql`(SELECT count(*) FROM model_cards AS c WHERE c.tenant_id = ${tenantId}) < ${MAX_MODEL_CARDS}`;
    try {
      const [inserted] = await db.batch([
        insertWhen(db, modelCards, { row, when: room }).returning({ id: modelCards.id }),
        ...keepReceipt(this.#scope, claim, receipt),
      ]);
      if (inserted.length === 0) throw full();
    } catch (error) {
      if (isApiError(error) || (await this.find(row.modelId)) === null) throw error;
      throw new ApiError(
        'conflict',
        `model_id: ${row.modelId} has a card already; change that one or delete it`,
      );
    }
    return made;
  }

  async retrieve(id: string): Promise<ModelCard> {
    return toModelCard(await this.row(id));
  }

  async row(id: string): Promise<ModelCardRow> {
    const [row] = await this.#scope.db.select().from(modelCards).where(this.#own(id));
    if (row) return row;
    throw new ApiError('not_found', `No model card ${id}`);
  }

  /** By what agents call the model. */
  async find(modelId: string): Promise<ModelCardRow | null> {
    const { db, tenantId } = this.#scope;
    const own = and(eq(modelCards.tenantId, tenantId), eq(modelCards.modelId, modelId));
    const [row] = await db.select().from(modelCards).where(own);
    return row ?? null;
  }

  /** Every card, newest first: there are `MAX_MODEL_CARDS` at most. */
  async all(): Promise<ModelCardRow[]> {
    const { db, tenantId } = this.#scope;
    return db.select().from(modelCards).where(eq(modelCards.tenantId, tenantId)).orderBy(desc(modelCards.id));
  }

  /** Null: it was changed since `seen` was read. */
  async update(seen: ModelCardRow, content: ModelCardContent, now: number): Promise<ModelCard | null> {
    const updatedAt = Math.max(now, seen.updatedAt + 1);
    const still = and(this.#own(seen.id), eq(modelCards.updatedAt, seen.updatedAt));
    const [row] = await this.#scope.db
      .update(modelCards)
      .set({ ...content, updatedAt })
      .where(still)
      .returning();
    return row ? toModelCard(row) : null;
  }

  async delete(id: string): Promise<void> {
    const gone = await this.#scope.db
      .delete(modelCards)
      .where(this.#own(id))
      .returning({ id: modelCards.id });
    if (gone.length === 0) throw new ApiError('not_found', `No model card ${id}`);
  }

  async list(filter: { limit: number; page?: string | undefined }): Promise<Page<ModelCard>> {
    const { db, tenantId } = this.#scope;
    const listing: Listing = { list: 'model_cards', tenantId, order: 'desc', ...filter };
    const at = seek(listing);
    const { id } = modelCards;
    const beyond = at.id === null ? undefined : at.order === 'desc' ? lt(id, at.id) : gt(id, at.id);
    const found = await db
      .select()
      .from(modelCards)
      .where(and(eq(modelCards.tenantId, tenantId), beyond))
      .orderBy(at.order === 'desc' ? desc(id) : asc(id))
      .limit(at.take);
    const page = toPage(listing, at, found);
    return { data: page.rows.map(toModelCard), next_page: page.next };
  }

  #own(id: string) {
    return and(eq(modelCards.tenantId, this.#scope.tenantId), eq(modelCards.id, id));
  }
}

type Identity = Pick<ModelCardRow, 'tenantId' | 'id'>;

export function sealModelKey(sealer: Sealer, row: Identity, key: string): Promise<string> {
  return sealer.seal(key, identityOf(row));
}

/** Null: the server asks for none. Rejects when this installation cannot open it. */
export async function openModelKey(
  sealer: Sealer,
  row: Identity & Pick<ModelCardRow, 'apiKey'>,
): Promise<string | null> {
  return row.apiKey === null ? null : sealer.open(row.apiKey, identityOf(row));
}

function identityOf({ tenantId, id }: Identity): string {
  return `${tenantId}/model_cards/${id}/api_key`;
}

export function toModelCard(row: ModelCardRow): ModelCard {
  return {
    id: row.id,
    type: 'model_card',
    model_id: row.modelId,
    display_name: row.displayName,
    protocol: row.protocol,
    base_url: row.baseUrl,
    provider_model: row.providerModel,
    api_key_last_four: row.apiKeyLastFour,
    context_window: row.contextWindow,
    max_output_tokens: row.maxOutputTokens,
    price: row.price,
    metadata: row.metadata,
    created_at: toTimestamp(row.createdAt),
    updated_at: toTimestamp(row.updatedAt),
  };
}

function full(): ApiError {
  return new ApiError(
    'invalid_request',
    `There are ${MAX_MODEL_CARDS} model cards already: delete one first`,
  );
}
