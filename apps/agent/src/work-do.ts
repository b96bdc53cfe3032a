// One self-hosted environment's object: its work queue over its own storage. It decides nothing.
//
// An object rather than rows of the control plane: polls come every second from every worker, most of them in vain. Here such
// a poll reads an index in memory's reach, waits without asking again, and meets no other writer; and the alarm notices a
// lost worker even when nobody polls.
import { DurableObject } from 'cloudflare:workers';
import type { MetadataPatch } from '@capstan/schema/metadata';
import { objectName } from '@capstan/session/address';
import { migrate, type Sql } from '@capstan/session/sql';
import type { Beat, Stopping, WorkItem } from '@capstan/session/work/work-item';
import { WorkQueue } from '@capstan/session/work/work-queue';
import type {
  EnvironmentAddress,
  Poll,
  Pulse,
  QueueStats,
  WorkPage,
  WorkQueues,
} from '@capstan/session/work/work-queues';
import { newId } from '@capstan/shared/ids';
import { consoleLogger } from '@capstan/shared/logger';
import workTable from '../../../migrations/work-do/0001_work.sql';
import type { Env } from './env.ts';
import { StorageAlarm, toSql } from './storage.ts';

const MIGRATIONS = [workTable];

export class WorkDO extends DurableObject<Env> implements WorkQueues {
  #sql: Sql;
  #alarm: Promise<StorageAlarm>;
  #opening: Promise<WorkQueue> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = toSql(ctx.storage);
    this.#alarm = StorageAlarm.open(ctx.storage);
  }

  async wantWork(address: EnvironmentAddress, sessionId: string, wanted: boolean): Promise<void> {
    (await this.#queue(address)).want(sessionId, wanted);
  }

  async pollWork(address: EnvironmentAddress, poll: Poll): Promise<WorkItem | null> {
    const queue = await this.#queue(address);
    const until = Date.now() + poll.blockMs;
    for (;;) {
      const item = queue.poll(poll);
      const left = until - Date.now();
      if (item !== null || left <= 0) return item;
      const { news, forget } = queue.changed();
      await Promise.race([news, scheduler.wait(left)]);
      forget();
    }
  }

  async ackWork(address: EnvironmentAddress, workId: string, offer: number | null): Promise<WorkItem> {
    return (await this.#queue(address)).ack(workId, offer);
  }

  async beatWork(address: EnvironmentAddress, workId: string, beat: Beat): Promise<Pulse> {
    return (await this.#queue(address)).beat(workId, beat);
  }

  async stopWork(address: EnvironmentAddress, workId: string, stopping: Stopping): Promise<WorkItem> {
    return (await this.#queue(address)).stop(workId, stopping);
  }

  async updateWork(address: EnvironmentAddress, workId: string, metadata: MetadataPatch): Promise<WorkItem> {
    return (await this.#queue(address)).update(workId, metadata);
  }

  async findWork(address: EnvironmentAddress, workId: string): Promise<WorkItem> {
    return (await this.#queue(address)).find(workId);
  }

  async listWork(address: EnvironmentAddress, page: WorkPage): Promise<WorkItem[]> {
    return (await this.#queue(address)).list(page);
  }

  async workStats(address: EnvironmentAddress): Promise<QueueStats> {
    return (await this.#queue(address)).stats();
  }

  async dropWork(_queue: EnvironmentAddress): Promise<void> {
    this.#opening = null;
    (await this.#alarm).disarm();
    await this.ctx.storage.deleteAll();
  }

  override async alarm(): Promise<void> {
    const address = this.#storedAddress();
    const wake = async () => {
      if (address !== null) (await this.#queue(address)).wake();
    };
    await (await this.#alarm).ring(wake, consoleLogger.child({ environment_id: address?.environmentId }));
  }

  #queue(address: EnvironmentAddress): Promise<WorkQueue> {
    this.#opening ??= this.#open(address);
    return this.#opening;
  }

  async #open(address: EnvironmentAddress): Promise<WorkQueue> {
    migrate(this.#sql, MIGRATIONS);
    this.#sql.all('INSERT OR IGNORE INTO address (only, json) VALUES (1, ?)', [JSON.stringify(address)]);
    const { tenantId, environmentId } = address;
    return new WorkQueue({
      sql: this.#sql,
      alarm: await this.#alarm,
      workerLost: (sessionId, until) => {
        const session = { tenantId, sessionId };
        return this.env.SESSIONS.getByName(objectName(session)).workerLost(session, until);
      },
      newId: () => newId('work'),
      now: () => Date.now(),
      logger: consoleLogger.child({ environment_id: environmentId, tenant_id: tenantId }),
    });
  }

  /** Null: nothing was ever asked of this queue, or it is gone. */
  #storedAddress(): EnvironmentAddress | null {
    const known = this.#sql.all("SELECT 1 FROM sqlite_master WHERE name = 'address'", []);
    if (known.length === 0) return null;
    const [row] = this.#sql.all<{ json: string }>('SELECT json FROM address', []);
    return row === undefined ? null : JSON.parse(row.json);
  }
}
