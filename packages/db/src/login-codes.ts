// One-time codes that sign a browser in. A code works once: taking it deletes it in the same statement.
import { and, eq, gt, lte } from 'drizzle-orm';
import type { Database } from './database.ts';
import { loginCodes } from './tables.ts';

export interface LoginCode {
  /** SHA-256 of the code, lower-case hex. */
  hash: string;
  tenantId: string;
  apiKeyId: string;
  apiKeyName: string;
  apiKeyLastFour: string;
  /** Epoch ms. */
  expiresAt: number;
}

export class LoginCodeStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Codes that expired before `now` (epoch ms) are swept in the same round trip. */
  async put(code: LoginCode, now: number): Promise<void> {
    await this.#db.batch([
      this.#db.delete(loginCodes).where(lte(loginCodes.expiresAt, now)),
      this.#db.insert(loginCodes).values(code),
    ]);
  }

  /** Null: never made, taken already, or expired at `now` (epoch ms). */
  async take(hash: string, now: number): Promise<LoginCode | null> {
    const [row] = await this.#db
      .delete(loginCodes)
      .where(and(eq(loginCodes.hash, hash), gt(loginCodes.expiresAt, now)))
      .returning();
    return row ?? null;
  }
}
