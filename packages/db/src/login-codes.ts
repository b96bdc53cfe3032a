// One-time codes that sign a browser in. A code works once: taking it deletes it in the same statement.
import { and, eq, gt, lte } from 'drizzle-orm';
import type { Database } from './database.ts';
import { loginCodes } from './tables/tenants.ts';

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

  async put(code: LoginCode): Promise<void> {
    await this.#db.insert(loginCodes).values(code);
  }

  /** Deletes codes that expired before `now` (epoch ms); says how many. */
  async sweep(now: number): Promise<number> {
    const swept = await this.#db
      .delete(loginCodes)
      .where(lte(loginCodes.expiresAt, now))
      .returning({ hash: loginCodes.hash });
    return swept.length;
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
