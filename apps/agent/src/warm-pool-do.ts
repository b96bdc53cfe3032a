// One environment's object: its warm pool over its own storage. It decides nothing.
//
// An object, because a sandbox that waits is to be given to one session only, whoever asks at once; and its alarm looks after
// what waits although nobody asks.
import { DurableObject } from 'cloudflare:workers';
import { openD1 } from '@capstan/db/d1';
import { WarmPool, type WarmSandbox } from '@capstan/harness/warm-pool';
import { EMPTY_POOL, type SandboxKind } from '@capstan/sandbox/warm-pool';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import type { PoolCount } from '@capstan/schema/warm-pools';
import { migrate, type Sql } from '@capstan/session/sql';
import { consoleLogger } from '@capstan/shared/logger';
import poolTable from '../../../migrations/warm-pool-do/0001_pool.sql';
import type { Env } from './env.ts';
import { openSandboxes } from './ports.ts';
import { StorageAlarm, toSql } from './storage.ts';
import { wishOf } from './warm-pools.ts';

const MIGRATIONS = [poolTable];
const NOTHING: PoolCount = { ready: 0, starting: 0, lastError: null };

export class WarmPoolDO extends DurableObject<Env> {
  #sql: Sql;
  #alarm: Promise<StorageAlarm>;
  #opening: Promise<WarmPool> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = toSql(ctx.storage);
    this.#alarm = StorageAlarm.open(ctx.storage);
  }

  async ring(address: EnvironmentKey): Promise<void> {
    (await this.#pool(address)).ring();
  }

  async claim(address: EnvironmentKey, sessionId: string, kind: SandboxKind): Promise<WarmSandbox | null> {
    return (await this.#pool(address)).claim(sessionId, kind);
  }

  async settle(address: EnvironmentKey, sessionId: string, kept: string | null): Promise<void> {
    if (this.#storedAddress() !== null) (await this.#pool(address)).settle(sessionId, kept);
  }

  async count(address: EnvironmentKey): Promise<PoolCount> {
    return this.#storedAddress() === null ? NOTHING : (await this.#pool(address)).count();
  }

  override async alarm(): Promise<void> {
    const address = this.#storedAddress();
    const alarm = await this.#alarm;
    const wake = async () => {
      if (address === null || (await (await this.#pool(address)).keep())) return;
      this.#opening = null;
      alarm.disarm();
      await this.ctx.storage.deleteAll();
    };
    await alarm.ring(wake, consoleLogger.child({ environment_id: address?.environmentId }));
  }

  #pool(address: EnvironmentKey): Promise<WarmPool> {
    this.#opening ??= this.#open(address);
    return this.#opening;
  }

  async #open(address: EnvironmentKey): Promise<WarmPool> {
    const sql = this.#sql;
    migrate(sql, MIGRATIONS);
    const empty = JSON.stringify(EMPTY_POOL);
    sql.all('INSERT OR IGNORE INTO pool (only, address, record) VALUES (1, ?, ?)', [
      JSON.stringify(address),
      empty,
    ]);
    const { tenantId, environmentId } = address;
    const { DB } = this.env;
    const sandboxes = () => openSandboxes(this.env);
    const alarm = await this.#alarm;
    return new WarmPool({
      book: {
        load: () =>
          JSON.parse(sql.all<{ record: string }>('SELECT record FROM pool', [])[0]?.record ?? empty),
        save: (record) => {
          sql.all('UPDATE pool SET record = ?', [JSON.stringify(record)]);
        },
      },
      sandboxes,
      wish: () => wishOf({ db: openD1(DB), sandboxes }, address),
      arm: (at) => alarm.arm(at),
      newName: () => `warm-${crypto.randomUUID()}`,
      clock: Date,
      logger: consoleLogger.child({ environment_id: environmentId, tenant_id: tenantId }),
    });
  }

  /** Null: nothing was ever asked of this pool, or it is gone. */
  #storedAddress(): EnvironmentKey | null {
    const known = this.#sql.all("SELECT 1 FROM sqlite_master WHERE name = 'pool'", []);
    if (known.length === 0) return null;
    const [row] = this.#sql.all<{ address: string }>('SELECT address FROM pool', []);
    return row === undefined ? null : JSON.parse(row.address);
  }
}
