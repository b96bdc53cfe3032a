// API keys by what is left of them: a hash. The only reads that are not bound to a tenant, because they find it.
import { newId } from '@capstan/shared/ids';
import { and, eq, isNull } from 'drizzle-orm';
import type { Database } from './database.ts';
import { apiKeys } from './tables/tenants.ts';

export const DEFAULT_TENANT = 'tnt_default';

export interface ApiKeyRecord {
  id: string;
  tenantId: string;
  name: string;
  /** SHA-256 of the key, lower-case hex. */
  hash: string;
  lastFour: string;
}

export interface NewApiKey {
  tenantId: string;
  name: string;
  hash: string;
  lastFour: string;
  /** Epoch ms. */
  now: number;
}

const record = {
  id: apiKeys.id,
  tenantId: apiKeys.tenantId,
  name: apiKeys.name,
  hash: apiKeys.hash,
  lastFour: apiKeys.lastFour,
};

export class ApiKeyStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async create(input: NewApiKey): Promise<ApiKeyRecord> {
    const { now, ...rest } = input;
    const key = { id: newId('apiKey', now), ...rest };
    await this.#db.insert(apiKeys).values({ ...key, createdAt: now, revokedAt: null });
    return key;
  }

  /** Null: no such key, or it was revoked. */
  async findByHash(hash: string): Promise<ApiKeyRecord | null> {
    const [row] = await this.#db
      .select(record)
      .from(apiKeys)
      .where(and(eq(apiKeys.hash, hash), isNull(apiKeys.revokedAt)));
    return row ?? null;
  }

  /** Null: no such key, or it was revoked. */
  async findById(id: string): Promise<ApiKeyRecord | null> {
    const [row] = await this.#db
      .select(record)
      .from(apiKeys)
      .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)));
    return row ?? null;
  }

  async revoke(id: string, now: number): Promise<void> {
    await this.#db
      .update(apiKeys)
      .set({ revokedAt: now })
      .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt)));
  }
}
