// The models of a session's tenant by their cards.
//   T1 What is known is at most a few seconds old whenever a model call is begun and billed, so a card that is changed, its
//      key replaced or deleted holds for sessions that run, from their next call on.
//   T2 A key is opened for the call it is sent with, and kept nowhere.
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { ModelFailure, type Price } from '@capstan/session/harness';
import type { Reach } from '@capstan/shared/safe-fetch';
import { within } from '@capstan/shared/within';
import type { Dialect } from './models/route.ts';

export interface TenantModel {
  /** Of the card. */
  id: string;
  /** What agents call it. */
  modelId: string;
  dialect: Dialect;
  baseUrl: string;
  /** What the provider calls it. */
  model: string;
  contextWindow: number | null;
  maxOutputTokens: number | null;
  price: Price | null;
  /** Opens its key; null: its server asks for none. */
  openKey(): Promise<string | null>;
}

export interface TenantModelSource {
  load(): Promise<TenantModel[]>;
  /** What of the network the addresses on cards may lead to. */
  reach: Reach;
}

/**
 * What was read of one tenant's cards, for all of its sessions in this process. Results, and never promises: in Workers
 * a request cannot wait for the I/O of another.
 */
export interface KnownModels {
  models: ReadonlyMap<string, TenantModel>;
  /** Epoch ms. */
  loadedAt: number;
}

export function nothingKnown(): KnownModels {
  return { models: new Map(), loadedAt: Number.NEGATIVE_INFINITY };
}

const FRESH_MS = 5_000;
/** How long a command waits for cards that cannot be read. */
const PATIENCE_MS = 1_000;

export class TenantModels {
  readonly reach: Reach;
  #load: () => Promise<TenantModel[]>;
  #clock: { now(): number };
  #known: KnownModels;

  constructor({ load, reach }: TenantModelSource, clock: { now(): number }, known = nothingKnown()) {
    this.#load = load;
    this.reach = reach;
    this.#clock = clock;
    this.#known = known;
  }

  /** Throws ModelFailure when they cannot be read: better no call than one with a key that was taken back. */
  async refresh(): Promise<void> {
    const now = this.#clock.now();
    if (Math.abs(now - this.#known.loadedAt) < FRESH_MS) return;
    const models = await this.#load().catch((cause: unknown) => {
      throw failure('The model cards of this server cannot be read', cause);
    });
    this.#known.models = new Map(models.map((model) => [model.modelId, model]));
    this.#known.loadedAt = now;
  }

  /** Null: what is known holds. Otherwise waits for what is read anew, for a second at most, and never rejects. */
  settling(): Promise<void> | null {
    const age = Math.abs(this.#clock.now() - this.#known.loadedAt);
    // Who had no card a while ago has none, as a rule: a first card waits for the next call.
    if (age < FRESH_MS || (this.#known.models.size === 0 && this.#known.loadedAt > 0)) return null;
    return within(this.refresh(), PATIENCE_MS, undefined);
  }

  /** Throws ModelFailure as long as they were never read. */
  find(modelId: string): TenantModel | null {
    if (this.#known.loadedAt > 0) return this.#known.models.get(modelId) ?? null;
    throw failure('The model cards have not been read yet');
  }
}

function failure(message: string, cause?: unknown): ModelFailure {
  return new ModelFailure('model_request_failed_error', message, {
    retryable: true,
    usage: ZERO_MODEL_USAGE,
    cause,
  });
}
